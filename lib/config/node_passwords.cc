#include "config/node_passwords.h"

#include <crypt.h>
#include <string.h>

#include <algorithm>
#include <memory>

#include <fmt/core.h>

#include "base/failure.h"
#include "config/value.h"

namespace config::node_users {
namespace {

constexpr char kPrefix[] = "$y$";
constexpr unsigned long kCost = 5;  // the same cost as in kSetting of node_users.cc
// The hash of a password that nobody knows, in the form of all others.
constexpr char kNobody[] = "$y$j9T$2vDOBJFNNdCHh3c3bbJLi/$nZ9TjIkEsQlPxTm2mJv7RdyLyqcGW9Xh4bXWRc8D0o1";

// Wipes its memory at the end, since that held a password or what was derived from it.
class Workspace {
 public:
  ~Workspace() { ::explicit_bzero(&data_, sizeof data_); }
  // `password` has no NUL. Failure{71}.
  std::string hash(const std::string& password, const char* setting) {
    const char* made = ::crypt_r(password.c_str(), setting, &data_);
    if (!made || *made == '*') tool::fail_errno(tool::os, "hash a password");
    return made;
  }

 private:
  crypt_data data_{};
};

std::string hash(std::string_view password, const char* setting) {
  const auto workspace = std::make_unique<Workspace>();  // 32 KiB
  std::string copy(password);
  std::string made = workspace->hash(copy, setting);
  ::explicit_bzero(copy.data(), copy.size());
  return made;
}

// Compares in constant time.
bool same(const std::string& a, const std::string& b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

}  // namespace

bool is_password(std::string_view text) {
  return !text.empty() && text.size() <= kMaxPassword && config::value::is_text(text);
}

std::string hash_password(std::string_view password) {
  if (!is_password(password)) {
    throw tool::Failure(tool::bad_input,
                        fmt::format("the password must have 1 to {} bytes and no control characters", kMaxPassword));
  }
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  if (!::crypt_gensalt_rn(kPrefix, kCost, nullptr, 0, setting, sizeof setting))
    tool::fail_errno(tool::os, "make a salt");
  std::string made = hash(password, setting);
  if (!is_hash(made))
    throw tool::Failure(tool::os, "hash a password: crypt(3) of this system does not make hashes of yescrypt");
  return made;
}

std::optional<NodeUser> authenticate(const std::vector<NodeUser>& users, std::string_view name,
                                     std::string_view password) {
  const auto found = std::find_if(users.begin(), users.end(), [&](const NodeUser& user) { return user.name == name; });
  const bool known = found != users.end();
  const bool possible = is_password(password);
  const std::string expected = known ? found->hash : kNobody;
  const bool right = same(hash(possible ? password : "-", expected.c_str()), expected);
  if (!known || !possible || !right) return std::nullopt;
  return *found;
}

}  // namespace config::node_users
