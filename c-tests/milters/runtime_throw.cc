// A filter in C++ whose exception leaves a callback: RUNTIME_THROW SPEC
#include <libmilter/mfapi.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

namespace {

bool unwound = false;

struct Guard {
	~Guard() { unwound = true; }
};

void on_terminate()
{
	try {
		std::rethrow_exception(std::current_exception());
	} catch (const std::exception &error) {
		// Whether the frames of the throw are still there for the core.
		std::printf("terminate: %s, unwound: %d\n", error.what(), unwound);
		std::fflush(stdout);
	}
	std::abort();
}

} // namespace

extern "C" {

static sfsistat on_envfrom(SMFICTX *, char **)
{
	Guard guard;
	throw std::runtime_error("left the callback");
}

} // extern "C"

int main(int argc, char **argv)
{
	struct smfiDesc filter = {};

	std::set_terminate(on_terminate);
	filter.xxfi_name = const_cast<char *>("throw");
	filter.xxfi_version = SMFI_VERSION;
	filter.xxfi_envfrom = on_envfrom;
	if (argc < 2 || smfi_register(filter) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS)
		return 2;
	return smfi_opensocket(true) == MI_SUCCESS && smfi_main() == MI_SUCCESS ? 0 : 1;
}
