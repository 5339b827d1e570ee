// A filter in C++: a class for each session, strings, containers, exceptions caught within callbacks.
#include <libmilter/mfapi.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

class Session {
public:
	void header(const std::string &name, const std::string &value)
	{
		if (name == "X-Throw")
			throw std::runtime_error(value);
		names.push_back(name);
	}

	std::string summary() const
	{
		std::string text;
		for (std::vector<std::string>::const_iterator it = names.begin(); it != names.end(); ++it)
			text += (text.empty() ? "" : " ") + *it;
		return text;
	}

private:
	std::vector<std::string> names;
};

Session *session_of(SMFICTX *ctx)
{
	return static_cast<Session *>(smfi_getpriv(ctx));
}

} // namespace

extern "C" {

static sfsistat on_envfrom(SMFICTX *ctx, char **)
{
	delete session_of(ctx);
	smfi_setpriv(ctx, new Session);
	return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	try {
		session_of(ctx)->header(name, value);
	} catch (const std::exception &error) {
		std::string text(error.what());
		smfi_setreply(ctx, const_cast<char *>("554"), const_cast<char *>("5.7.1"), &text[0]);
		return SMFIS_REJECT;
	}
	return SMFIS_CONTINUE;
}

static sfsistat on_eom(SMFICTX *ctx)
{
	std::string text = session_of(ctx)->summary();
	bool ok = smfi_addheader(ctx, const_cast<char *>("X-Seen"), &text[0]) == MI_SUCCESS;
	return ok ? SMFIS_ACCEPT : SMFIS_TEMPFAIL;
}

static sfsistat on_close(SMFICTX *ctx)
{
	delete session_of(ctx);
	smfi_setpriv(ctx, NULL);
	return SMFIS_CONTINUE;
}

} // extern "C"

int main(int argc, char **argv)
{
	struct smfiDesc filter = {};

	filter.xxfi_name = const_cast<char *>("cxx");
	filter.xxfi_version = SMFI_VERSION;
	filter.xxfi_flags = SMFIF_ADDHDRS;
	filter.xxfi_envfrom = on_envfrom;
	filter.xxfi_header = on_header;
	filter.xxfi_eom = on_eom;
	filter.xxfi_close = on_close;
	if (argc < 2 || smfi_register(filter) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS)
		return 2;
	return smfi_opensocket(true) == MI_SUCCESS && smfi_main() == MI_SUCCESS ? 0 : 1;
}
