#include "base/record.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "base/cut.h"
#include "base/failure.h"
#include "base/io.h"

namespace {

constexpr std::size_t kMaxName = 64;

[[noreturn]] void malformed(const std::string& why) { throw tool::Failure(tool::bad_input, "record: " + why); }

bool is_field_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxName || name[0] < 'a' || name[0] > 'z') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

bool is_value(std::string_view value) {
  return std::none_of(value.begin(), value.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

void Record::add(std::string_view name, std::string_view value) {
  if (!is_field_name(name)) malformed(fmt::format("'{}' is not a field name", name.substr(0, kMaxName)));
  if (!is_value(value)) malformed(fmt::format("control character in {}", name));
  if (fields_.size() == kMaxLines) malformed(fmt::format("more than {} lines", kMaxLines));
  fields_.emplace_back(name, value);
}

void Record::set(std::string_view name, std::string_view value) {
  std::erase_if(fields_, [&](const auto& field) { return field.first == name; });
  add(name, value);
}

std::optional<std::string> Record::get(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string Record::require(std::string_view name) const {
  if (auto value = get(name)) return *value;
  malformed(fmt::format("{} is missing", name));
}

std::vector<std::string> Record::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : fields_) {
    if (key == name) values.push_back(value);
  }
  return values;
}

void Record::check_names(std::initializer_list<std::string_view> once,
                         std::initializer_list<std::string_view> repeated) const {
  const auto in = [](auto list, std::string_view name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  for (const auto& [name, value] : fields_) {
    if (in(repeated, name)) continue;
    if (!in(once, name)) malformed(fmt::format("{} does not belong here", name));
    if (all(name).size() > 1) malformed(fmt::format("{} is given twice", name));
  }
}

std::string Record::text() const {
  std::string out;
  for (const auto& [name, value] : fields_) out += fmt::format("{}={}\n", name, value);
  return out + "\n";
}

namespace record {

std::optional<Record> Parser::add(std::string_view line) {
  if (line.empty()) return finish();
  bytes_ += line.size() + 1;
  if (bytes_ > Record::kMaxBytes) malformed(fmt::format("more than {} bytes", Record::kMaxBytes));
  if (++lines_ > Record::kMaxLines) malformed(fmt::format("more than {} lines", Record::kMaxLines));
  if (line[0] == '#') return std::nullopt;
  const auto equals = line.find('=');
  if (equals == line.npos) malformed(fmt::format("'{}' is not name=value", line.substr(0, 64)));
  current_.add(line.substr(0, equals), line.substr(equals + 1));
  return std::nullopt;
}

std::optional<Record> Parser::finish() {
  bytes_ = lines_ = 0;
  if (current_.empty()) return std::nullopt;
  return std::exchange(current_, {});
}

std::vector<Record> parse_all(std::string_view text) {
  std::vector<Record> records;
  Parser parser;
  const auto keep = [&](std::optional<Record> record) {
    if (record) records.push_back(std::move(*record));
  };
  for (const auto line : cut::lines(text)) keep(parser.add(line));
  keep(parser.finish());
  return records;
}

Record parse_one(std::string_view text) {
  auto records = parse_all(text);
  if (records.size() != 1) malformed(records.empty() ? "no record" : "more than one record");
  return std::move(records[0]);
}

Record read_one(int fd) { return parse_one(io::read_all(fd, Record::kMaxBytes + 1, "record")); }

}  // namespace record
