// base/record: the one text format between the tools; record(5).
//
//   user=bear
//   client=10.0.31.133:51512
//   command=ascp -S. -V1
//   (empty line or EOF)
//
// Lines `name=value`: name is [a-z][a-z0-9_]*, at most 64 bytes; value is
// everything up to the newline, may be empty, holds no control character. A
// line that starts with # is a comment. At most 8 KiB and 64 lines a record.
// Anything else is Failure{65}.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

class Record {
 public:
  static constexpr std::size_t kMaxBytes = 8192;
  static constexpr std::size_t kMaxLines = 64;

  // Appends, also when `name` is there already (`host` repeats in a route).
  // Failure{65} when name or value break the format.
  void add(std::string_view name, std::string_view value);
  // Replaces every `name` by this one.
  void set(std::string_view name, std::string_view value);

  // The first value of `name`; absent: nullopt (get), Failure{65} (require).
  std::optional<std::string> get(std::string_view name) const;
  std::string require(std::string_view name) const;
  // All values of `name`, in order; empty when absent.
  std::vector<std::string> all(std::string_view name) const;
  bool empty() const { return fields_.empty(); }
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

  // For privileged readers. Failure{65} on a name that is in neither list, and on a repeated one of `once`.
  void check_names(std::initializer_list<std::string_view> once,
                   std::initializer_list<std::string_view> repeated = {}) const;

  // With the closing empty line.
  std::string text() const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

namespace record {

// Collects lines (without newlines) into records.
class Parser {
 public:
  // The finished record when `line` is the empty one that ends it. Empty lines before the first field are
  // skipped.
  std::optional<Record> add(std::string_view line);
  // At EOF: the last record, which needs no empty line.
  std::optional<Record> finish();

 private:
  Record current_;
  std::size_t bytes_ = 0;
  std::size_t lines_ = 0;
};

// Exactly one record; Failure{65} when there is none or more than one.
Record parse_one(std::string_view text);
// Any number of records.
std::vector<Record> parse_all(std::string_view text);

// Reads `fd` to EOF; exactly one record.
Record read_one(int fd);

}  // namespace record
