#include "config/node_users.h"

#include <crypt.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/paths.h"
#include "base/root_only.h"
#include "config/value.h"

namespace {

constexpr char kPrefix[] = "$y$";
constexpr unsigned long kCost = 5;
constexpr std::string_view kSetting = "$y$j9T$";  // as crypt_gensalt(3) makes it from the two
constexpr std::size_t kDigest = 43;               // characters
// The hash of a password that nobody knows, in the form of all others.
constexpr char kNobody[] = "$y$j9T$2vDOBJFNNdCHh3c3bbJLi/$nZ9TjIkEsQlPxTm2mJv7RdyLyqcGW9Xh4bXWRc8D0o1";
constexpr std::string_view kAdmin = "admin";
constexpr mode_t kMode = 0640;

bool is_crypt64(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '/';
  });
}

bool is_hash(std::string_view text) {
  if (!text.starts_with(kSetting)) return false;
  text.remove_prefix(kSetting.size());
  const auto dollar = text.find('$');
  if (dollar == text.npos || dollar < 1 || dollar > 86) return false;
  const auto digest = text.substr(dollar + 1);
  return digest.size() == kDigest && is_crypt64(text.substr(0, dollar)) && is_crypt64(digest);
}

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

// The parts between separators; empty ones are kept.
std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

NodeUser parse_line(std::string_view line, const auto& fail) {
  const auto fields = split(line, ':');
  if (fields.size() != 4) fail("not name:hash:account:ACLs");
  if (!config::node_users::is_name(fields[0])) fail("the name is not valid");
  if (!is_hash(fields[1])) fail("the hash is not one that asnodeadmin writes");
  if (!config::value::is_account(fields[2])) fail("the account is not valid");
  NodeUser user{fields[0], fields[1], fields[2], {}};
  if (fields[3].empty()) return user;
  if (fields[3] != kAdmin) fail("the only ACL there is is admin");
  user.acls.emplace_back(kAdmin);
  return user;
}

gid_t node_group() {
  char buffer[16 * 1024];
  group found{};
  group* result = nullptr;
  const int error = ::getgrnam_r(paths::kNodeAccount, &found, buffer, sizeof buffer, &result);
  if (error == 0 && result) return found.gr_gid;
  throw tool::Failure(tool::os,
                      fmt::format("find the group {}: {}", paths::kNodeAccount,
                                  error == 0 ? "there is none; make the account as INSTALL says" : ::strerror(error)));
}

}  // namespace

bool NodeUser::is_admin() const { return std::find(acls.begin(), acls.end(), kAdmin) != acls.end(); }

namespace config::node_users {

bool is_name(std::string_view text) { return config::value::is_account(text) && text.front() != '#'; }

bool is_password(std::string_view text) {
  return !text.empty() && text.size() <= kMaxPassword && config::value::is_text(text);
}

std::vector<NodeUser> parse(std::string_view text, const std::string& file) {
  std::vector<NodeUser> users;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const auto fail = [&](const std::string& why) {
      throw tool::Failure(tool::config, fmt::format("{}:{}: {}", file, number, why));
    };
    auto user = parse_line(line, fail);
    for (const auto& other : users) {
      if (other.name == user.name) fail(fmt::format("{} is there twice", user.name));
    }
    users.push_back(std::move(user));
  }
  return users;
}

std::vector<NodeUser> load(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file && errno == ENOENT) return {};
  if (!file) tool::fail_errno(tool::config, "open " + path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) tool::fail_errno(tool::os, "stat " + path);
  const auto fail = [&](const std::string& why) {
    throw tool::Failure(tool::config, fmt::format("{}: {}", path, why));
  };
  if (!S_ISREG(status.st_mode)) fail("not a regular file");
  if (!root_only::is(status)) fail("must belong to root and be writable by root alone");
  if (status.st_size > static_cast<off_t>(kMaxBytes)) fail(fmt::format("larger than {} bytes", kMaxBytes));
  return parse(io::read_all(file.get(), kMaxBytes, path), path);
}

std::string text_of(const std::vector<NodeUser>& users) {
  std::string text = "# Users of the node API; asnodeadmin(8) changes this file.\n";
  for (const auto& user : users)
    text += fmt::format("{}:{}:{}:{}\n", user.name, user.hash, user.system_user, fmt::join(user.acls, ","));
  return text;
}

void save(const config::file::Lock& lock, const std::vector<NodeUser>& users) {
  const std::string text = text_of(users);
  if (text.size() > kMaxBytes)
    throw tool::Failure(tool::os, fmt::format("{}: would be larger than {} bytes", lock.path(), kMaxBytes));
  lock.replace(text, 0, node_group(), kMode);
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
    throw tool::Failure(tool::os, "hash a password: crypt(3) of this system makes other hashes than yescrypt's");
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
