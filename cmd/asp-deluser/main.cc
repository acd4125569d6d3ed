// asp-deluser: removes the accounts of proxy users; asp-deluser(8).
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include <fmt/core.h>

#include "base/child.h"
#include "base/env.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "base/tool.h"
#include "leavings.h"
#include "processes.h"
#include "session/keepers.h"
#include "who/as_user.h"
#include "who/authorized_keys.h"
#include "who/given_uids.h"
#include "who/proxy_account.h"

namespace {

using proxy_account::Account;
using proxy_account::administer;

constexpr char kUsage[] = "asp-deluser [-r] name ...";

void check_is_proxy_user(const Account& account) {
  proxy_account::check_may_transfer_only(account);
  const auto refuse = [&](const std::string& why) {
    throw tool::Failure(tool::not_permitted, fmt::format("{}: is not a user of the proxy: {}", account.name, why));
  };
  if (!account.in_group()) refuse(fmt::format("not in the group {}", paths::kGroup));
  if (!account.has_shell()) refuse(fmt::format("the shell is {}", account.shell));
}

void end_sessions(const std::string& name) {
  constexpr int kSeconds = 300;
  const auto answer = child::run({{std::string(paths::kBin) + "asp-sessions", "--kill", "user=" + name},
                                  env::allow({"SUDO_USER", "SUDO_UID"}),
                                  {}},
                                 "", 16 * 1024 * 1024, kSeconds);
  if (answer.status == tool::yes || answer.status == tool::no) return;
  throw tool::Failure(
      tool::os, fmt::format("{}: the account is shut, but sessions remain: {}", name, logging::unescape(answer.err)));
}

// Left-over keys would log in again if the account were made anew with this home. A user who prevents
// this gains nothing: asp-adduser refuses such a home.
void remove_keys(const Account& account) {
  try {
    as_user::run(account, [] {
      const Fd folder = as_user::open_ssh_folder(false);
      for (const char* name : {"authorized_keys", "authorized_keys2"}) {  // an sshd without our sample reads both
        if (folder && ::unlinkat(folder.get(), name, 0) != 0 && errno != ENOENT)
          tool::fail_errno(tool::os, std::string("remove ~/.ssh/") + name);
      }
      return std::string();
    });
  } catch (const tool::Failure& failure) {
    fmt::print(stderr, "asp-deluser: {}; the keys in it stay\n", logging::escape(failure.what()));
  }
}

// Works from the outside to the inside: no new login, nothing that starts by itself, no session, no process, no
// account. A failure in between leaves an account that nobody can use.
void remove(const Account& account, bool with_home) {
  administer({"/usr/sbin/usermod", "--expiredate", "1", "--", account.name});
  leavings::remove_starters(account.name, account.uid);
  authorized_keys::remove(account.name);
  end_sessions(account.name);
  session::keepers::end_of(account.name);
  if (const auto left = processes::end_all_of(account.uid))
    throw tool::Failure(tool::os, fmt::format("{}: the account is shut, but not removed: {}", account.name, *left));
  leavings::remove_memory(account.uid);
  if (!with_home) remove_keys(account);
  given_uids::note(account.uid);
  if (with_home) administer({"/usr/sbin/userdel", "--remove", "--", account.name});
  else administer({"/usr/sbin/userdel", "--", account.name});
  logging::event("Removed user={} uid={}", account.name, account.uid);
  if (with_home) fmt::print(stderr, "{}: removed, with {}\n", account.name, logging::escape(account.home));
  else fmt::print(stderr, "{}: removed; {} stays\n", account.name, logging::escape(account.home));
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "r", kUsage);
  if (options.operands.empty()) options::fail_usage(kUsage, "a name is needed");
  for (const auto& name : options.operands) {
    if (!proxy_account::is_name(name))
      options::fail_usage(kUsage, fmt::format("'{}' is not a name for an account", name));
  }
  if (::geteuid() != 0)
    throw tool::Failure(tool::not_permitted, "only root may change accounts: run it as root, or with sudo");
  for (const auto& name : options.operands) {
    const auto account = proxy_account::find(name);
    if (!account) {
      fmt::print(stderr, "{}: no such account\n", name);
      continue;
    }
    check_is_proxy_user(*account);
    remove(*account, options.has('r'));
  }
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) {
  return tool::guard("asp-deluser", kUsage, run, argc, argv, tool::Audience::operators);
}
