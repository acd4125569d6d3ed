#include "base.h"

#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "child.h"
#include "env.h"
#include "logging.h"
#include "tool.h"

namespace asperaproxy {
namespace {

constexpr int kSeconds = 10;
constexpr std::size_t kMaxOutput = 64 * 1024 * 1024;

Lines split(const std::string& text) {
  Lines lines(1);
  for (const char c : text) {
    if (c == '\n') lines.emplace_back();
    else lines.back() += c;
  }
  return lines;
}

std::optional<Lines> rules_of(firewall_text::Family family, const char* table) {
  const std::string program = family == firewall_text::Family::v4 ? "/usr/sbin/iptables" : "/usr/sbin/ip6tables";
  try {
    const auto answer = child::run({{program, "--wait", "5", "-t", table, "-S"}, env::allow({}), {}}, "", kMaxOutput, kSeconds);
    if (answer.status == 0) return split(answer.out);
    logging::error("{} -t {} -S: {}", program, table, logging::escape(answer.err));
  } catch (const tool::Failure& failure) {
    logging::error("{}", logging::escape(failure.what()));
  }
  return std::nullopt;
}

bool has_chain(const Lines& lines, const std::string& name) { return std::find(lines.begin(), lines.end(), "-N " + name) != lines.end(); }

// The rules of one of our chains, in order.
Lines rules_in(const Lines& lines, const std::string& name) {
  Lines rules;
  for (const auto& line : lines) {
    if (line.starts_with("-A " + name + " ")) rules.push_back(line);
  }
  return rules;
}

long jumps_in(const Lines& lines) { return std::count_if(lines.begin(), lines.end(), firewall_text::is_jump); }

}  // namespace

const char* name_of(Base base) {
  switch (base) {
    case Base::present: return "present";
    case Base::absent: return "absent";
    case Base::damaged: return "damaged";
    case Base::unusable: return "unusable";
  }
  return "";
}

Base judge(const Lines& nat, const Lines& filter) {
  const auto jumps = static_cast<std::size_t>(jumps_in(nat) + jumps_in(filter));
  const bool sessions = has_chain(nat, "SALLYPORT-DNAT");
  bool whole = sessions && jumps == firewall_text::all_jumps().size();
  bool any = sessions || jumps > 0;
  for (const auto& chain : firewall_text::base_chains()) {
    const Lines& lines = chain.table == "nat" ? nat : filter;
    whole = whole && rules_in(lines, chain.name) == chain.rules;
    any = any || has_chain(lines, chain.name);
  }
  return whole ? Base::present : any ? Base::damaged : Base::absent;
}

Base look_at_base(firewall_text::Family family) {
  const auto nat = rules_of(family, "nat");
  const auto filter = rules_of(family, "filter");
  return nat && filter ? judge(*nat, *filter) : Base::unusable;
}

}  // namespace asperaproxy
