#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/env.h"

namespace {

constexpr char kName[] = "SALLYPORT_UNIT_TEST";

// Sets it, and takes it away again.
class Variable {
 public:
  explicit Variable(const std::string& value) { ::setenv(kName, value.c_str(), 1); }
  Variable(const Variable&) = delete;
  ~Variable() { ::unsetenv(kName); }
};

}  // namespace

TEST_CASE("env: a variable is there if its value is of one line and not too long") {
  CHECK_FALSE(env::get(kName));
  for (const auto& value : std::vector<std::string>{"", "x", "a b=c", "\xc3\xa4", std::string(4096, 'x')}) {
    const Variable set(value);
    CHECK(env::get(kName) == value);
  }
  for (const auto& value : std::vector<std::string>{"a\nb", "\t", "\x1b[31m", "\x7f", std::string(4097, 'x'), "x\r"}) {
    const Variable set(value);
    CHECK_FALSE(env::get(kName));
  }
}

TEST_CASE("env: a program gets the variables that are allowed, and the system's PATH") {
  const std::string path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  CHECK(env::allow({}) == std::vector<std::string>{path});
  CHECK(env::allow({kName}) == std::vector<std::string>{path});
  {
    const Variable set("x=y");
    CHECK(env::allow({}) == std::vector<std::string>{path});
    CHECK(env::allow({kName}) == std::vector<std::string>{path, std::string(kName) + "=x=y"});
  }
  const Variable set("x\ny");
  CHECK(env::allow({kName}) == std::vector<std::string>{path});
}
