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

/* The forms that callbacks have; callbacks.rs has the same numbers. */
enum form { EVENT, POINTER, TWO_POINTERS, CHUNK, NEGOTIATE };

struct call {
	int form;
	int left;
	void (*callback)(void);
	void *ctx;
	void *first;
	void *second;
	size_t size;
	struct flags *flags;
};

/* Of xxfi_negotiate. */
struct flags {
	unsigned long offered[4];
	unsigned long wanted[4];
};

__attribute__((visibility("hidden"))) int
milter_call(struct call *call);

static int
run(struct call *call)
{
	void (*callback)(void) = call->callback;
	struct flags *flags = call->flags;

	switch (call->form) {
	case EVENT:
		return ((int (*)(void *))callback)(call->ctx);
	case POINTER:
		return ((int (*)(void *, void *))callback)(call->ctx, call->first);
	case TWO_POINTERS:
		return ((int (*)(void *, void *, void *))callback)(call->ctx, call->first, call->second);
	case CHUNK:
		return ((int (*)(void *, void *, size_t))callback)(call->ctx, call->first, call->size);
	default:
		return ((int (*)(void *, unsigned long, unsigned long, unsigned long, unsigned long,
		                 unsigned long *, unsigned long *, unsigned long *, unsigned long *))
		            callback)(call->ctx, flags->offered[0], flags->offered[1], flags->offered[2],
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
	volatile int result = 0;
	place_t place;
	int before;

	call->left = 1;
	pthread_cleanup_push(come_back, &place);
	if (MARK(place) == 0) {
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
		result = run(call);
		/* What was asked for in the callback's time does not hit another session. */
		pthread_testcancel();
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
		if (before != PTHREAD_CANCEL_ENABLE) {
			/* The callback had put it off, and has not looked. */
			pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
			pthread_testcancel();
		}
		call->left = 0;
	}
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	pthread_cleanup_pop(0);
	return result;
}

#else

/* Whether a thread may still end by returning is not known of other systems. */
int
milter_call(struct call *call)
{
	call->left = 0;
	return run(call);
}

#endif
