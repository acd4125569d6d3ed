#include "who/proxy_account.h"

#include <pwd.h>
#include <shadow.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <fstream>
#include <sstream>

#include <fmt/core.h>

#include "base/accounts.h"
#include "base/child.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/paths.h"

namespace proxy_account {
namespace {

constexpr int kSeconds = 120;  // the account files may be locked
constexpr std::size_t kMaxOutput = 64 * 1024;

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Days since 1970, as shadow(5) counts them.
long today() { return static_cast<long>(::time(nullptr) / 86400); }

std::string on_one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

bool Account::in_group() const { return contains(groups, paths::kGroup); }

bool Account::has_shell() const {
  return shell == paths::kShell || shell == std::string("/usr") + paths::kShell ||
         shell == std::string(paths::kBin) + "aspshell";
}

bool is_name(std::string_view text) {
  constexpr std::size_t kMaxName = 32;
  if (text.empty() || text.size() > kMaxName || text[0] == '-' || text[0] == '.') return false;
  if (std::all_of(text.begin(), text.end(), is_digit)) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-'; });
}

std::optional<Account> find(const std::string& name) {
  const passwd* entry = ::getpwnam(name.c_str());
  if (!entry) return std::nullopt;
  Account account{entry->pw_name,  entry->pw_uid,    entry->pw_gid, entry->pw_dir,
                  entry->pw_shell, entry->pw_passwd, false,         {}};
  if (const spwd* shadow = ::getspnam(name.c_str())) {
    account.password = shadow->sp_pwdp;
    account.expired = shadow->sp_expire >= 0 && shadow->sp_expire <= today();
  }
  account.groups = accounts::groups_of(name);
  return account;
}

uid_t lowest_uid() {
  std::ifstream definitions("/etc/login.defs");
  for (std::string line; std::getline(definitions, line);) {
    std::istringstream words(line);
    std::string name;
    uid_t value = 0;
    if (words >> name >> value && name == "UID_MIN") return value;
  }
  return 1000;
}

void check_may_transfer_only(const Account& account) {
  const auto refuse = [&](const std::string& why) {
    throw tool::Failure(tool::not_permitted, fmt::format("{}: cannot be a user of the proxy: {}", account.name, why));
  };
  constexpr uid_t kNobody = 65534;
  if (account.uid == 0) refuse("it is root");
  if (account.uid < lowest_uid() || account.uid == kNobody)
    refuse(fmt::format("it is an account of the system (uid {})", account.uid));
  for (const auto& group : account.groups) {
    if (accounts::is_of_administrators(group))
      refuse(fmt::format("it is an administrator's account (group {})", group));
  }
}

std::string administer(const std::vector<std::string>& argv) {
  const auto answer = child::run({argv, env::allow({}), {}}, "", kMaxOutput, kSeconds);
  if (answer.status == 0) return answer.out;
  throw tool::Failure(tool::os, fmt::format("run {}: {}", argv[0],
                                            answer.err.empty() ? fmt::format("exit status {}", answer.status)
                                                               : on_one_line(answer.err)));
}

}  // namespace proxy_account
