#include "base/tool.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/core.h>

#include "base/cut.h"
#include "base/io.h"
#include "base/logging.h"

namespace tool {
namespace {

// A program started with a closed standard descriptor would open its first file as that descriptor and
// mix it up with the protocol on it. /dev/null is opened read-only, so that writing to a missing
// stdout still fails.
void open_standard_descriptors() {
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDONLY);  // not close-on-exec, on purpose
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) ::close(fd);
}

// Nobody may be reading stderr; then a failure to write does not matter.
void complain(const std::string& line) { std::fputs((line + "\n").c_str(), stderr); }

std::string with_identity(const std::string& shown, const Failure& failure) {
  return failure.identity().empty() ? shown : fmt::format("{} {}", logging::without_fields(shown), failure.identity());
}

// Each form of the command line on a line of its own.
std::string forms(std::string_view usage) {
  std::string text = "usage: ";
  for (const auto line : cut::lines(usage)) text += fmt::format("{}{}", text.size() > 7 ? "\n       " : "", line);
  return text;
}

// All before the usage may be anybody's words.
std::string shown_to_operators(const std::string& what) {
  const std::string_view usage = "; usage: ";
  const auto at = what.rfind(usage);
  if (at == what.npos) return logging::escape(what);
  return fmt::format("{}; {}", logging::escape(what.substr(0, at)),
                     forms(std::string_view(what).substr(at + usage.size())));
}

// Absent: it is another command line.
std::optional<std::string> answer_about_tool(const char* name, const char* usage, int argc, char** argv) {
  if (argc != 2) return std::nullopt;
  const std::string_view word = argv[1];
  if (word == "--version") return fmt::format("{} (Sallyport) {}\n", name, SALLYPORT_VERSION);
  if (word == "--help" && usage) return forms(usage) + "\n";
  return std::nullopt;
}

int report(const char* name, const Failure& failure, Audience audience) {
  const Exit code = failure.code();
  if (audience == Audience::remote) {
    if (!failure.logged())
      logging::error("{} (exit {})", with_identity(logging::escape(failure.what()), failure), static_cast<int>(code));
    complain(failure.told().empty() ? remote_line(code) : failure.told());
  } else {
    complain(fmt::format("{}: {}", name, shown_to_operators(failure.what())));
  }
  return code;
}

}  // namespace

const char* remote_line(Exit code) {
  switch (code) {
    case unavailable: return "The server behind this proxy cannot be reached.";
    case temporary: return "This proxy takes no further sessions right now. Try again later.";
    case untrusted: return "The server behind this proxy could not be verified. Tell the administrator.";
    case not_permitted:
    case no: return "This proxy does not permit that.";
    case config: return "This proxy is misconfigured. Tell the administrator.";
    default: return "This proxy could not serve the session. Tell the administrator.";
  }
}

int guard(const char* name, const char* usage, int (*run)(int, char**), int argc, char** argv, Audience audience) {
  open_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a user's own limit must not keep a line out of the log
  logging::open(name);
  try {
    const auto answer = answer_about_tool(name, usage, argc, argv);
    if (answer && audience == Audience::operators) {
      io::write_all(STDOUT_FILENO, *answer);
      return yes;
    }
    return run(argc, argv);
  } catch (const Failure& failure) {
    return report(name, failure, audience);
  } catch (const std::bad_alloc&) {
    return report(name, Failure(os, "out of memory"), audience);
  } catch (const std::exception& fault) {
    return report(name, Failure(internal, std::string("internal error: ") + fault.what()), audience);
  }
}

}  // namespace tool
