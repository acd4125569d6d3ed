// who/proxy_account: the accounts of the proxy's users, which transfer and do nothing else: their
// shell is aspshell, they are in the group sallyport, and they log in with keys alone.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace proxy_account {

struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;
  std::string shell;
  std::string password;  // as shadow(5) has it
  bool expired = false;
  std::vector<std::string> groups;

  bool in_group() const;   // sallyport
  bool has_shell() const;  // aspshell, by any of its paths
};

// [A-Za-z0-9_][A-Za-z0-9._-]*, at most 32 bytes, not digits alone.
bool is_name(std::string_view text);

// For root, since it reads shadow(5).
std::optional<Account> find(const std::string& name);

// Failure{77} when the account is root's, the system's (below UID_MIN of login.defs(5)) or an
// administrator's. Such a user would be locked out, or could do more than transfer.
void check_may_transfer_only(const Account& account);
uid_t lowest_uid();

// Runs one of the system's programs for accounts. Failure{71} with the program's message when it
// fails.
std::string administer(const std::vector<std::string>& argv);

}  // namespace proxy_account
