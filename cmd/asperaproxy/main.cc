// asperaproxy: controls the reverse proxy as a whole, for init and the administrator; asperaproxy(8).
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "base/options.h"
#include "base/tool.h"
#include "unit.h"
#include "verbs.h"

namespace {

using Words = std::vector<std::string>;

struct Verb {
  const char* name;
  int (*alone)();  // for a verb without further words; otherwise:
  int (*with)(const Words&);
  const char* words;
};
// A verb that is run by hand acts here, where its outcome is seen; systemd follows.
int start() {
  const int code = asperaproxy::start();
  asperaproxy::unit::follow("start");
  return code;
}

int stop() {
  const int code = asperaproxy::stop();
  asperaproxy::unit::follow("stop");
  return code;
}

int restart() {
  const int stopped = stop();
  const int started = start();
  return stopped == tool::yes ? started : stopped;
}

constexpr Verb kVerbs[] = {
    {"setup", nullptr, asperaproxy::set_up, " [OPTIONS]"},
    {"start", start, nullptr, ""},
    {"stop", stop, nullptr, ""},
    {"restart", restart, nullptr, ""},
    {"leave", asperaproxy::leave, nullptr, ""},
    {"reload", asperaproxy::reload, nullptr, ""},
    {"status", asperaproxy::status, nullptr, ""},
    {"check", nullptr, asperaproxy::check, " [--json | --fix [--yes]] [--without NAMES]"},
    {"drain", asperaproxy::drain, nullptr, ""},
    {"undrain", asperaproxy::undrain, nullptr, ""},
    {"fault", nullptr, asperaproxy::fault, " HOST[:PORT] [REASON...]"},
    {"heal", nullptr, asperaproxy::heal, " HOST[:PORT]"},
    {"cluster-config", nullptr, asperaproxy::cluster_config, " [--config aspera.conf] [--node NAME] [DIRECTORY]"},
    {"takeover", asperaproxy::takeover, nullptr, ""},
    {"standby", asperaproxy::standby, nullptr, ""},
    {"health", asperaproxy::health, nullptr, ""},
    {"sheet", nullptr, asperaproxy::sheet, " USER"},
    {"sudoers", asperaproxy::sudoers, nullptr, ""},
    {"trust", nullptr, asperaproxy::trust, " [--fingerprint SHA256:...] [--replace] [HOST[:PORT]]"},
};

const std::string& usage() {
  static const std::string text = [] {
    std::string lines;
    for (const auto& verb : kVerbs)
      lines += fmt::format("{}asperaproxy {}{}", lines.empty() ? "" : "\n", verb.name, verb.words);
    return lines;
  }();
  return text;
}

const Verb& verb_of(const std::string& name) {
  for (const auto& verb : kVerbs) {
    if (name == verb.name) return verb;
  }
  options::fail_usage(usage().c_str(), fmt::format("unknown verb '{}'", name));
}

int run(int argc, char** argv) {
  auto words = options::parse(argc, argv, "", usage().c_str()).operands;
  if (words.empty()) options::fail_usage(usage().c_str(), "a verb is needed");
  const Verb& verb = verb_of(words[0]);
  words.erase(words.begin());
  if (verb.with) return verb.with(words);
  if (!words.empty()) options::fail_usage(usage().c_str(), fmt::format("{} takes no arguments", verb.name));
  asperaproxy::require_root();
  return verb.alone();
}

int audit(int argc, char** argv) { return asperaproxy::audit(Words(argv + 1, argv + argc)); }

}  // namespace

// asp-check.sh becomes us.
int main(int argc, char** argv) {
  using tool::Audience;
  if (argc > 1 && argv[1] == std::string_view("audit"))
    return tool::guard("asp-check.sh", asperaproxy::kAuditUsage, audit, argc - 1, argv + 1, Audience::operators);
  return tool::guard("asperaproxy", usage().c_str(), run, argc, argv, Audience::operators);
}
