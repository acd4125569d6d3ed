// base/io: bounded reading and complete writing on descriptors.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace io {

// Everything up to EOF. More than `limit` bytes: Failure{65}; errors: Failure{74}.
std::string read_all(int fd, std::size_t limit, const std::string& what);

// All of `text`, whatever it takes; Failure{74}, also when nobody reads.
void write_all(int fd, std::string_view text);

// Lines out of a descriptor that stays open: fill() when poll says readable,
// then pop() until it is empty-handed. A line over `limit` bytes, or with a
// NUL in it: Failure{65}.
class LineBuffer {
 public:
  explicit LineBuffer(std::size_t limit) : limit_(limit) {}

  // One read(2). False at EOF (and on EAGAIN nothing happens and it is true).
  bool fill(int fd);
  // What was read by other means.
  void add(std::string_view bytes);
  // The next complete line without its newline.
  std::optional<std::string> pop();
  // What came after the last newline; at EOF it is a line of its own.
  std::optional<std::string> rest();

 private:
  std::size_t limit_;
  std::string held_;
};

}  // namespace io
