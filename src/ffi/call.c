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
#undef __EXCEPTIONS /* some distributions' flags; pthread.h must not rely on tables */
#include <pthread.h>
#include <setjmp.h>
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
	unsigned long offered[4];
	unsigned long wanted[4];
};

__attribute__((visibility("hidden"))) int
milter_call(struct call *call);

static int
run(struct call *call)
{
	void (*callback)(void) = call->callback;

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
		            callback)(call->ctx, call->offered[0], call->offered[1], call->offered[2],
		                      call->offered[3], &call->wanted[0], &call->wanted[1],
		                      &call->wanted[2], &call->wanted[3]);
	}
}

#ifdef __linux__

/* The cleanup handler of a thread that ends: the way back into milter_call. */
static void
come_back(void *place)
{
	_longjmp(*(jmp_buf *)place, 1);
}

int
milter_call(struct call *call)
{
	volatile int result = 0;
	jmp_buf place;
	int before;

	call->left = 1;
	pthread_cleanup_push(come_back, &place);
	if (_setjmp(place) == 0) {
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
		result = run(call);
		/* What was asked for in the callback's time does not hit another session. */
		pthread_testcancel();
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
