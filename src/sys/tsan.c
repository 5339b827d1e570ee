/*
 * Tells ThreadSanitizer what it cannot see, as this library is not compiled
 * for it: which code is the library's, and that sessions are handed over.
 *
 * Weak: programs compiled with -fsanitize=thread have these functions, in all
 * others the pointers are NULL. All symbols below are hidden.
 */
#ifdef __ELF__
extern void __tsan_acquire(void *) __attribute__((weak));
extern void __tsan_release(void *) __attribute__((weak));
extern void __tsan_ignore_thread_begin(void) __attribute__((weak));
extern void __tsan_ignore_thread_end(void) __attribute__((weak));
# define CALL(function, arguments) if (function) function arguments
#else
# define CALL(function, arguments)
#endif
#define HIDDEN __attribute__((visibility("hidden")))

/* Whether there is anybody to tell. */
HIDDEN extern void (*const milter_tsan)(void *);
#ifdef __ELF__
void (*const milter_tsan)(void *) = __tsan_acquire;
#else
void (*const milter_tsan)(void *) = 0;
#endif

HIDDEN void milter_tsan_enter(void);
HIDDEN void milter_tsan_leave(void);
HIDDEN void milter_tsan_acquire(void *);
HIDDEN void milter_tsan_release(void *);

void
milter_tsan_enter(void)
{
	CALL(__tsan_ignore_thread_begin, ());
}

void
milter_tsan_leave(void)
{
	CALL(__tsan_ignore_thread_end, ());
}

void
milter_tsan_acquire(void *address)
{
	(void)address;
	CALL(__tsan_acquire, (address));
}

void
milter_tsan_release(void *address)
{
	(void)address;
	CALL(__tsan_release, (address));
}
