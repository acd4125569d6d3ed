// asp-rules: write firewall text for the sessions on stdin; asp-rules(1).
// Touches no firewall: pipe it into iptables-restore --noflush to do that.
#include <unistd.h>

#include <map>

#include <fmt/core.h>

#include "firewall_text.h"
#include "io.h"
#include "options.h"
#include "record.h"
#include "session.h"
#include "tool.h"

namespace {

using firewall_text::Family;
using firewall_text::Jumps;

constexpr char kUsage[] = "asp-rules [-6] [-j CHAIN,...] base|open|pin|close|purge < sessions";
constexpr std::size_t kMaxSessions = 100000;

// "PREROUTING,FORWARD": the built-in chains that jump to ours already.
Jumps parse_jumps(const std::string& list) {
  Jumps jumps;
  std::string name;
  for (const char c : list + ",") {
    if (c != ',') {
      name += c;
    } else if (!name.empty()) {
      if (!firewall_text::all_jumps().contains(name)) options::fail_usage(kUsage, "-j " + name + ": no such chain");
      jumps.insert(std::exchange(name, {}));
    }
  }
  return jumps;
}

std::vector<Session> read_sessions() {
  std::vector<Session> sessions;
  const std::string text = io::read_all(STDIN_FILENO, kMaxSessions * Record::kMaxBytes, "sessions");
  for (const auto& record : record::parse_all(text)) sessions.push_back(Session::from_record(record));
  return sessions;
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "6j:", kUsage);
  if (options.operands.size() != 1) options::fail_usage(kUsage, "one operand is needed");
  const std::string& verb = options.operands[0];
  const Family family = options.has('6') ? Family::v6 : Family::v4;
  const Jumps present = parse_jumps(options.get('j', ""));

  std::string text;
  if (verb == "purge") text = firewall_text::purge(family, present);
  else if (verb == "base") text = firewall_text::base(family, read_sessions(), present);
  else if (verb == "open") text = firewall_text::open(family, read_sessions());
  else if (verb == "pin") text = firewall_text::pin(family, read_sessions());
  else if (verb == "close") text = firewall_text::close(family, read_sessions());
  else options::fail_usage(kUsage, "no such verb: " + verb);
  io::write_all(STDOUT_FILENO, text);
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("asp-rules", run, argc, argv, tool::Audience::operators); }
