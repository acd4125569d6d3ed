// asperaproxy: the reverse proxy as a whole, for init and the administrator;
// asperaproxy(8).
#include <unistd.h>

#include <string>

#include <fmt/core.h>

#include "options.h"
#include "tool.h"
#include "verbs.h"

namespace {

struct Verb {
  const char* name;
  int (*run)();
};
constexpr Verb kVerbs[] = {
    {"start", asperaproxy::start},
    {"stop", asperaproxy::stop},
    {"restart", asperaproxy::restart},
    {"reload", asperaproxy::reload},
    {"status", asperaproxy::status},
    {"drain", asperaproxy::drain},
    {"undrain", asperaproxy::undrain},
};

std::string usage() {
  std::string names;
  for (const auto& verb : kVerbs) names += fmt::format("{}{}", names.empty() ? "" : " | ", verb.name);
  return "asperaproxy " + names;
}

const Verb& verb_of(const std::vector<std::string>& operands) {
  if (operands.size() != 1) options::fail_usage(usage().c_str(), "one verb is needed");
  for (const auto& verb : kVerbs) {
    if (operands[0] == verb.name) return verb;
  }
  options::fail_usage(usage().c_str(), fmt::format("unknown verb '{}'", operands[0]));
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "", usage().c_str());
  const Verb& verb = verb_of(options.operands);
  if (::geteuid() != 0) throw tool::Failure(tool::not_permitted, "the sessions and the firewall are root's: run it as root, or with sudo");
  return verb.run();
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("asperaproxy", run, argc, argv, tool::Audience::operators); }
