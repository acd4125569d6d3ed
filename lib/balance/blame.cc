#include "balance/blame.h"

#include <algorithm>
#include <optional>

namespace balance::blame {
namespace {

constexpr char kNotLetIn[] = "The server behind this proxy does not let this account in. Tell the administrator.";
constexpr char kLoginSilent[] = "The server behind this proxy does not answer the log-in. Try again later.";
constexpr char kNotRun[] = "The server behind this proxy does not run that command.";
constexpr char kLost[] = "The connection to the server behind this proxy was lost.";
constexpr char kOtherFamily[] =
    "The server behind this proxy has no address of the family, IPv4 or IPv6, by which you came.";

// Whatever the phase: trouble that is not the server's. Absent: it depends on the phase.
std::optional<Verdict> judge_by_code(tool::Exit code) {
  switch (code) {
    case tool::unavailable:
    case tool::untrusted:
    case tool::not_permitted: return std::nullopt;
    case tool::config: return Verdict{Party::key, Mark::nothing, false, Again::no, ""};
    case tool::io:
    case tool::temporary: return Verdict{Party::client, Mark::nothing, false, Again::no, ""};
    default: return Verdict{Party::ours, Mark::nothing, false, Again::no, ""};
  }
}

}  // namespace

const char* name_of(Party party) {
  switch (party) {
    case Party::network: return "network";
    case Party::server: return "server";
    case Party::host_key: return "host key";
    case Party::account: return "account";
    case Party::key: return "key";
    case Party::command: return "command";
    case Party::client: return "client";
    case Party::ours: return "ours";
  }
  return "";
}

Verdict judge(const Trouble& trouble) {
  if (trouble.of_client) return {Party::client, Mark::nothing, true, Again::no, kOtherFamily};
  if (const auto verdict = judge_by_code(trouble.code)) return *verdict;
  const bool silent = trouble.code == tool::unavailable;
  switch (trouble.phase) {
    case Phase::reach: return {Party::network, Mark::host, true, silent && trouble.quick ? Again::soon : Again::no, ""};
    case Phase::handshake:
      if (silent) return {Party::server, Mark::host, true, trouble.quick ? Again::at_once : Again::no, ""};
      return {Party::host_key, Mark::host, true, Again::no, ""};
    case Phase::login: return {Party::account, Mark::account, true, Again::no, silent ? kLoginSilent : kNotLetIn};
    case Phase::run: break;
  }
  if (silent) return {Party::network, Mark::nothing, false, Again::no, kLost};
  return {Party::command, Mark::nothing, false, Again::no, kNotRun};
}

std::chrono::seconds pause_after(unsigned long failures, std::chrono::seconds longest) {
  constexpr std::chrono::seconds kFirst{10};
  constexpr unsigned long kMostDoublings = 10;
  if (failures < 2) return std::chrono::seconds(0);
  return std::min(kFirst * (1L << std::min(failures - 2, kMostDoublings)), longest);
}

}  // namespace balance::blame
