// base/io: bounded reading and complete writing on descriptors.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace io {

// Everything up to EOF. More than `limit` bytes: Failure{65}; errors: Failure{74}.
std::string read_all(int fd, std::size_t limit, const std::string& what);

// Writes all of `text`, however long that takes; Failure{74}, also when nobody reads, which has the name `what`.
void write_all(int fd, std::string_view text, const std::string& what = {});

// Reads lines from a descriptor that stays open: call fill() when poll says readable, then pop() until
// it returns nothing. Failure{65} for a line over `limit` bytes, or with a NUL in it.
class LineBuffer {
 public:
  explicit LineBuffer(std::size_t limit) : limit_(limit) {}

  // Makes one read(2). False at EOF. On EAGAIN it does nothing and returns true.
  bool fill(int fd);
  // Adds bytes that were read by other means.
  void add(std::string_view bytes);
  // The next complete line without its newline.
  std::optional<std::string> pop();
  // The bytes after the last newline; at EOF they are a line of their own.
  std::optional<std::string> rest();

 private:
  std::size_t limit_;
  std::string held_;
};

}  // namespace io
