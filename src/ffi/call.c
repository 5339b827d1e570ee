/*
 * Calls the callbacks of a filter: the one place from which control enters the
 * filter's code, in C for what Rust must not be left by or has no words for.
 *
 * A callback that ends its thread (pthread_exit, or cancellation) runs its
 * cleanup handlers and destructors, and then comes back here in place of
 * ending frames of Rust: `left` says so. The library ends the session and
 * lets the thread return, which ends it as the filter wanted.
 *
 * An exception of C++ that leaves a callback finds no handler here or below,
 * since the build script has this file compiled without unwind tables: the
 * program's terminate handler runs while the stack still shows the throw.
 *
 * Cancellation is off in the library's own code (guard.rs, thread.rs), and on
 * in callbacks.
 */
#include <stddef.h>

/* The forms that callbacks have; call.rs has the same numbers. */
enum form { EVENT, POINTER, TWO_POINTERS, CHUNK, NEGOTIATE };

/* Of xxfi_negotiate: what `first` points to. */
struct flags {
	unsigned long offered[4];
	unsigned long wanted[4];
};

/* A call of a callback, as call.rs has it. */
struct call {
	int form;
	void (*callback)(void);
	void *ctx;
	void *first;
	void *second;
	size_t size;
	int left; /* set if the callback has ended its thread */
};

__attribute__((visibility("hidden"))) int milter_call(struct call *call);

static inline int
run(const struct call *call)
{
	void (*callback)(void) = call->callback;
	void *ctx = call->ctx;
	void *first = call->first;
	struct flags *flags = first;

	switch (call->form) {
	case TWO_POINTERS:
		return ((int (*)(void *, void *, void *))callback)(ctx, first, call->second);
	case EVENT:
		return ((int (*)(void *))callback)(ctx);
	case POINTER:
		return ((int (*)(void *, void *))callback)(ctx, first);
	case CHUNK:
		return ((int (*)(void *, void *, size_t))callback)(ctx, first, call->size);
	default:
		return ((int (*)(void *, unsigned long, unsigned long, unsigned long, unsigned long,
		                 unsigned long *, unsigned long *, unsigned long *, unsigned long *))
		            callback)(ctx, flags->offered[0], flags->offered[1], flags->offered[2],
		                      flags->offered[3], &flags->wanted[0], &flags->wanted[1],
		                      &flags->wanted[2], &flags->wanted[3]);
	}
}

#ifdef __linux__

# undef __EXCEPTIONS /* some distributions' flags; pthread.h must not rely on tables */
# include <pthread.h>

/* GCC's own jumps keep five words where setjmp keeps all registers. */
# if defined(__GNUC__) && !defined(__clang__)
typedef void *place_t[5];
#  define MARK(place) __builtin_setjmp(place)
#  define JUMP(place) __builtin_longjmp(place, 1)
# else
#  include <setjmp.h>
typedef jmp_buf place_t;
#  define MARK(place) _setjmp(place)
#  define JUMP(place) _longjmp(place, 1)
# endif

/* The cleanup handler of a thread that ends: the way back into milter_call. */
static __attribute__((noinline)) void
come_back(void *place)
{
	JUMP(*(place_t *)place);
}

int
milter_call(struct call *call)
{
	place_t place;
	int before;
	int result;

	pthread_cleanup_push(come_back, &place);
	if (MARK(place) == 0) {
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
		result = run(call);
		/* What was asked for in the callback's time does not hit another session. */
		pthread_testcancel();
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
		if (before != PTHREAD_CANCEL_ENABLE) {
			/* The callback had put it off, and has not looked. */
			pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
			pthread_testcancel();
			pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
		}
	} else {
		/* The callback has not returned, nor has what is above. */
		result = 0;
		call->left = 1;
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	}
	pthread_cleanup_pop(0);
	return result;
}

#else

/* Whether a thread may still end by returning is not known of other systems. */
int
milter_call(struct call *call)
{
	return run(call);
}

#endif
