// trouble: why an operation cannot be done, for the client.
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace ascmd {

class Trouble : public std::runtime_error {
 public:
  explicit Trouble(int number = errno) : std::runtime_error(std::strerror(number)), number_(number) {}
  Trouble(int number, const std::string& text) : std::runtime_error(text), number_(number) {}
  int number() const { return number_; }  // of errno(3)

 private:
  int number_;
};

}  // namespace ascmd
