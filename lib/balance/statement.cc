#include "balance/statement.h"

#include <algorithm>

#include <fmt/core.h>

#include "balance/marks.h"
#include "base/decimal.h"
#include "base/failure.h"
#include "base/record.h"

namespace balance::statement {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

seconds left_of(const Mark& mark, seconds now) { return std::max(mark.until - now, seconds(0)); }

Mark mark_in(const Record& record, milliseconds left, seconds now) {
  const auto lasts = parse_decimal(record.require("seconds"), 0, kLongest.count());
  if (!lasts) throw tool::Failure(tool::bad_input, "seconds is not valid");
  const auto rest = std::clamp(std::chrono::ceil<seconds>(left - kKeptBeyondEnd), seconds(0), seconds(*lasts));
  Record whole;
  for (const auto& [name, value] : record.fields()) {
    if (name != "seconds" && name != "node") whole.add(name, value);
  }
  whole.add("until", std::to_string((now + rest).count()));
  return from_record(whole);
}

}  // namespace

std::string id_of(const Mark& mark) {
  return digest(fmt::format("{}\n{}\n{}\n{}", mark_name(mark), mark.since, mark.by, mark.reason));
}

bool is_name(const std::string& text) {
  constexpr std::size_t kLongestName = 255;
  const bool known = text.starts_with("faulty-") || text.starts_with("maintenance-");
  return known && text.size() <= kLongestName && text.find('/') == text.npos && text.find('\0') == text.npos;
}

std::string marked(const Mark& mark, const std::string& node, seconds now) {
  const Record whole = to_record(mark);
  Record record;
  for (const auto& [name, value] : whole.fields()) {
    if (name != "until") record.add(name, value);
  }
  const bool ends = mark.state != State::maintenance;
  const auto lasts = ends ? std::min(left_of(mark, now), kLongest) : seconds(0);
  record.add("seconds", std::to_string(lasts.count()));
  record.add("node", node);
  return record.text();
}

std::optional<seconds> kept(const Mark& mark, seconds now) {
  if (mark.state == State::maintenance) return std::nullopt;
  return left_of(mark, now) + kKeptBeyondEnd;
}

std::string healed(const std::string& id, const std::string& node) {
  Record record;
  record.add("healed", id);
  record.add("node", node);
  return record.text();
}

std::optional<Statement> parse(const std::string& name, const std::string& text, milliseconds left, seconds now) {
  try {
    const Record record = record::parse_one(text);
    Statement said{{}, record.get("healed").value_or(""), record.get("node").value_or("?")};
    if (!said.healed.empty()) return said;
    said.mark = mark_in(record, left, now);
    if (mark_name(*said.mark) == name && is_shared(said.mark->state)) return said;
  } catch (const tool::Failure&) {
  }
  return std::nullopt;
}

}  // namespace balance::statement
