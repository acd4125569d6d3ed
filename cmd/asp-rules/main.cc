// asp-rules: writes firewall text for the sessions on stdin; asp-rules(1). It touches no firewall:
// pipe the text into iptables-restore --noflush, or nft -f -.
#include <unistd.h>

#include <map>

#include <fmt/core.h>

#include "base/io.h"
#include "base/options.h"
#include "base/record.h"
#include "base/tool.h"
#include "firewall/nft_text.h"
#include "firewall/text.h"
#include "session/session.h"

namespace {

using firewall::text::Family;
using firewall::text::Jumps;

constexpr char kUsage[] = "asp-rules [-6] [-j CHAIN,...] | -n base|open|pin|close|purge < sessions";
constexpr std::size_t kMaxSessions = 100000;

// Parses "PREROUTING,FORWARD": the built-in chains that jump to ours already.
Jumps parse_jumps(const std::string& list) {
  Jumps jumps;
  std::string name;
  for (const char c : list + ",") {
    if (c != ',') {
      name += c;
    } else if (!name.empty()) {
      if (!firewall::text::all_jumps().contains(name)) options::fail_usage(kUsage, "-j " + name + ": no such chain");
      jumps.insert(std::exchange(name, {}));
    }
  }
  return jumps;
}

std::vector<session::Session> read_sessions() {
  std::vector<session::Session> sessions;
  const std::string text = io::read_all(STDIN_FILENO, kMaxSessions * Record::kMaxBytes, "sessions");
  for (const auto& record : record::parse_all(text)) sessions.push_back(session::Session::from_record(record));
  return sessions;
}

std::string iptables_text(const std::string& verb, Family family, const Jumps& present) {
  firewall::text::Standing found;
  found.jumps = present;
  if (verb == "purge") return firewall::text::purge(found);
  if (verb == "base") return firewall::text::base(family, read_sessions(), found);
  if (verb == "open") return firewall::text::open(family, read_sessions());
  if (verb == "pin") return firewall::text::pin(family, read_sessions());
  if (verb == "close") return firewall::text::close(family, read_sessions());
  options::fail_usage(kUsage, "no such verb: " + verb);
}

// The sessions as they are, or as they were before they had a flow.
firewall::nft_text::Elements elements(std::vector<session::Session> sessions, bool with_flow) {
  for (auto& session : sessions) {
    if (!with_flow) session.flow.reset();
  }
  return firewall::nft_text::elements_of(sessions);
}

std::string nft_pin_text(const std::vector<session::Session>& sessions) {
  std::vector<session::Session> pinned = sessions;
  std::erase_if(pinned, [](const session::Session& session) { return !session.pinned(); });
  return firewall::nft_text::change(elements(pinned, false), elements(pinned, true));
}

std::string nft_open_text(const std::vector<session::Session>& sessions) {
  return firewall::nft_text::change({}, elements(sessions, true));
}

std::string nft_rules_text(const std::string& verb) {
  if (verb == "purge") return firewall::nft_text::purge();
  if (verb == "base") return firewall::nft_text::base(read_sessions());
  if (verb == "open") return nft_open_text(read_sessions());
  if (verb == "pin") return nft_pin_text(read_sessions());
  if (verb == "close") return firewall::nft_text::change(elements(read_sessions(), true), {});
  options::fail_usage(kUsage, "no such verb: " + verb);
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "6j:n", kUsage);
  if (options.operands.size() != 1) options::fail_usage(kUsage, "one operand is needed");
  const std::string& verb = options.operands[0];
  const Family family = options.has('6') ? Family::v6 : Family::v4;
  const Jumps present = parse_jumps(options.get('j', ""));
  if (options.has('n') && (options.has('6') || options.has('j')))
    options::fail_usage(kUsage, "-n goes with no other option");
  const std::string text = options.has('n') ? nft_rules_text(verb) : iptables_text(verb, family, present);
  io::write_all(STDOUT_FILENO, text);
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) { return tool::guard("asp-rules", kUsage, run, argc, argv, tool::Audience::operators); }
