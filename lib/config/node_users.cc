#include "config/node_users.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/cut.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/root_only.h"
#include "config/value.h"

namespace config {
namespace {

constexpr std::string_view kSetting = "$y$j9T$";  // yescrypt, at the only cost that is accepted
constexpr std::size_t kDigestCharacters = 43;
constexpr std::string_view kAdmin = "admin";

bool is_crypt64(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '/';
  });
}

NodeUser parse_line(std::string_view line, const auto& fail) {
  const auto fields = cut::fields(line, ':');
  if (fields.size() != 4) fail("not name:hash:account:ACLs");
  if (!config::node_users::is_name(fields[0])) fail("the name is not valid");
  if (!config::node_users::is_hash(fields[1])) fail("the hash is not one that asnodeadmin writes");
  if (!config::value::is_account(fields[2])) fail("the account is not valid");
  NodeUser user{std::string(fields[0]), std::string(fields[1]), std::string(fields[2]), {}};
  if (fields[3].empty()) return user;
  if (fields[3] != kAdmin) fail("the only ACL there is is admin");
  user.acls.emplace_back(kAdmin);
  return user;
}

}  // namespace

bool NodeUser::is_admin() const { return std::find(acls.begin(), acls.end(), kAdmin) != acls.end(); }

}  // namespace config

namespace config::node_users {

bool is_name(std::string_view text) {
  constexpr std::size_t kMaxName = 64;
  return !text.empty() && text.size() <= kMaxName && text[0] != '-' && text[0] != '#' &&
         std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return c <= ' ' || c >= 0x7f || c == '/' || c == ':' || c == ','; });
}

bool is_hash(std::string_view text) {
  if (!text.starts_with(kSetting)) return false;
  text.remove_prefix(kSetting.size());
  const auto dollar = text.find('$');
  if (dollar == text.npos || dollar < 1 || dollar > 86) return false;
  const auto digest = text.substr(dollar + 1);
  return digest.size() == kDigestCharacters && is_crypt64(text.substr(0, dollar)) && is_crypt64(digest);
}

std::vector<NodeUser> parse(std::string_view text, const std::string& file) {
  std::vector<NodeUser> users;
  std::size_t number = 0;
  for (const auto line : cut::lines(text)) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const auto fail = [&](const std::string& why) {
      throw tool::Failure(tool::config, fmt::format("{}:{}: {}", file, number, why));
    };
    auto user = parse_line(line, fail);
    for (const auto& other : users) {
      if (other.name == user.name) fail(fmt::format("{} is given twice", user.name));
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

}  // namespace config::node_users
