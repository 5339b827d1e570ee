/*
 * The variadic half of smfi_setmlreply, which Rust cannot define.
 *
 * smfi_setmlreply (setmlreply.rs) jumps here; the arguments are collected and
 * handed on to Rust. Both functions below are hidden: neither is exported.
 * But with EXPORTED_FROM_C, for old compilers, this is smfi_setmlreply itself.
 */
#include <stdarg.h>
#include <stddef.h>

/* One more than a reply may have, so that too many are noticed. */
#define LINES_MAX 33

__attribute__((visibility("hidden"))) int
milter_setmlreply_lines(void *ctx, const char *rcode, const char *xcode,
                        const char *const *lines, size_t count);

#ifdef EXPORTED_FROM_C
# define NAME smfi_setmlreply
__attribute__((visibility("default"))) int
#else
# define NAME milter_setmlreply_va
__attribute__((visibility("hidden"))) int
#endif
NAME(void *ctx, const char *rcode, const char *xcode, ...);

int
NAME(void *ctx, const char *rcode, const char *xcode, ...)
{
	const char *lines[LINES_MAX];
	size_t count = 0;
	va_list ap;

	va_start(ap, xcode);
	while (count < LINES_MAX) {
		const char *line = va_arg(ap, const char *);
		if (line == NULL)
			break;
		lines[count++] = line;
	}
	va_end(ap);
	return milter_setmlreply_lines(ctx, rcode, xcode, lines, count);
}
