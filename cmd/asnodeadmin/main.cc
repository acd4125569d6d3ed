// asnodeadmin: the users of the node API; asnodeadmin(8).
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/accounts.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/paths.h"
#include "base/tool.h"
#include "config/file.h"
#include "config/node_passwords.h"
#include "config/node_users.h"
#include "config/value.h"
#include "password.h"

namespace {

using Users = std::vector<config::NodeUser>;

constexpr char kUsage[] = "asnodeadmin {-a | -m | -d} -u name [-x account] [-p password|-] [--acl-add acl | --acl-del "
                          "acl | --acl-set acls] [-b file]\n"
                          "asnodeadmin -l | -b file | -A | --reload | -h";
constexpr char kHelp[] = "asnodeadmin -a -u name -x account    add a user of the node API\n"
                         "asnodeadmin -m -u name               change the user's password, account or ACLs\n"
                         "asnodeadmin -d -u name               delete the user\n"
                         "asnodeadmin -l                       list all\n"
                         "asnodeadmin -b file                  copy the list to a new file; also with -a, -m, -d\n"
                         "asnodeadmin -A                       the ACLs that there are\n"
                         "asnodeadmin --reload                 check the file; changes need no reload\n"
                         "  -p password, -p -                  the password; from standard input; without -p\n"
                         "                                     it is asked for\n"
                         "  --acl-add, --acl-del, --acl-set    for -a (not --acl-del) and -m\n";
constexpr char kAdmin[] = "admin";
constexpr mode_t kMode = 0640;

// Options without a letter get a character that the command line cannot contain.
constexpr char kAclAdd = 1;
constexpr char kAclDel = 2;
constexpr char kAclSet = 3;
constexpr char kReload = 4;
constexpr option kLongOptions[] = {
    {"add", no_argument, nullptr, 'a'},
    {"modify", no_argument, nullptr, 'm'},
    {"delete", no_argument, nullptr, 'd'},
    {"list", no_argument, nullptr, 'l'},
    {"help", no_argument, nullptr, 'h'},
    {"user", required_argument, nullptr, 'u'},
    {"backup", required_argument, nullptr, 'b'},
    {"acl-list", no_argument, nullptr, 'A'},
    {"acl-add", required_argument, nullptr, kAclAdd},
    {"acl-del", required_argument, nullptr, kAclDel},
    {"acl-set", required_argument, nullptr, kAclSet},
    {"reload", no_argument, nullptr, kReload},
    {nullptr, 0, nullptr, 0},
};

[[noreturn]] void bad_usage(const std::string& why) { options::fail_usage(kUsage, why); }

// --- the command line -----------------------------------------------------------

// The action: one of -a, -m, -d, -l, -A, --reload, -h; 'b' when only a backup is asked for.
char action_of(const Options& options) {
  char action = 0;
  for (const char letter : {'a', 'm', 'd', 'l', 'A', 'h', kReload}) {
    if (!options.has(letter)) continue;
    if (letter == kReload && action && std::string_view("amd").find(action) != std::string_view::npos)
      continue;  // nothing more to do
    if (action) bad_usage("only one action at a time");
    action = letter;
  }
  if (!action && options.has('b')) return 'b';
  if (!action) bad_usage("one of -a, -m, -d, -l, -b, -A, --reload and -h is needed");
  return action;
}

void check_options(const Options& options, char action) {
  if (!options.operands.empty())
    bad_usage(fmt::format("'{}' is not an option; they begin with a dash: -x account", options.operands.front()));
  const auto only_with = [&](char letter, const char* shown, std::string_view actions) {
    if (options.has(letter) && actions.find(action) == actions.npos)
      bad_usage(fmt::format("{} cannot be combined with that action", shown));
  };
  only_with('u', "-u", "amd");
  only_with('p', "-p", "am");
  only_with('x', "-x", "am");
  only_with('b', "-b", "amdb");
  only_with(kAclAdd, "--acl-add", "am");
  only_with(kAclDel, "--acl-del", "m");
  only_with(kAclSet, "--acl-set", "am");
  if (options.has(kAclAdd) + options.has(kAclDel) + options.has(kAclSet) > 1)
    bad_usage("only one of --acl-add, --acl-del and --acl-set can be given");
  if (std::string_view("amd").find(action) != std::string_view::npos) {
    if (!options.has('u')) bad_usage("-u name is needed");
    if (!config::node_users::is_name(options.get('u', "")))
      bad_usage(fmt::format("'{}' is not a name for a user", options.get('u', "")));
  }
  if (action == 'a' && !options.has('x')) bad_usage("-x account is needed");
  for (std::size_t i = 1; i < options.in_order.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (options.in_order[i].first == options.in_order[j].first) bad_usage("an option is given twice");
    }
  }
}

void check_account(const std::string& account) {
  if (config::value::is_account(account) && accounts::exists(account)) return;
  throw tool::Failure(tool::bad_input, fmt::format("{}: there is no such account on this host", account));
}

bool grants_admin(const std::string& acls, bool none_too) {
  if (acls == kAdmin) return true;
  if (!none_too || !acls.empty()) bad_usage(fmt::format("'{}' is not an ACL; the only one is {}", acls, kAdmin));
  return false;
}

// The changes to one user.
struct Change {
  std::optional<std::string> hash;
  std::optional<std::string> account;
  std::optional<bool> admin;

  void apply(config::NodeUser& user) const {
    if (hash) user.hash = *hash;
    if (account) user.system_user = *account;
    if (admin) user.acls = *admin ? std::vector<std::string>{kAdmin} : std::vector<std::string>{};
  }
};

// Asks for the password last, after everything else is validated. Without another change, -m modifies
// only the password.
Change change_of(const Options& options, char action) {
  Change change;
  if (options.has('x')) check_account(*(change.account = options.get('x', "")));
  if (options.has(kAclAdd)) change.admin = grants_admin(options.get(kAclAdd, ""), false);
  if (options.has(kAclDel)) change.admin = !grants_admin(options.get(kAclDel, ""), false);
  if (options.has(kAclSet)) change.admin = grants_admin(options.get(kAclSet, ""), true);
  const bool ask = action == 'a' || (!change.account && !change.admin);
  const std::string given = options.get('p', "");
  if (options.has('p')) change.hash = config::node_users::hash_password(given == "-" ? password::from_stdin() : given);
  else if (ask) change.hash = config::node_users::hash_password(password::from_terminal(options.get('u', "")));
  return change;
}

// --- the file ------------------------------------------------------------------------

Users::iterator find(Users& users, const std::string& name) {
  return std::find_if(users.begin(), users.end(), [&](const config::NodeUser& user) { return user.name == name; });
}

void check_presence(Users& users, const std::string& name, bool wanted) {
  if ((find(users, name) != users.end()) == wanted) return;
  throw tool::Failure(tool::no, name + (wanted ? ": there is no such user; see asnodeadmin -l"
                                               : ": exists already; change it with -m"));
}

// Never overwrites another file, least of all through a link in somebody else's directory.
void back_up(const Users& users, const std::string& path) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) tool::fail_errno(tool::io, "create " + path);
  try {
    io::write_all(file.get(), config::node_users::text_of(users));
    if (::fsync(file.get()) != 0) tool::fail_errno(tool::io, "sync");
  } catch (const tool::Failure& failure) {
    ::unlink(path.c_str());
    throw tool::Failure(tool::io, fmt::format("write {}: {}", path, failure.what()));
  }
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

// Writes the file as described in config/node_users.h. Failure{71}: there is no such group; otherwise
// fails as config::file::Lock::replace does.
void save(const config::file::Lock& lock, const Users& users) {
  const std::string text = config::node_users::text_of(users);
  if (text.size() > config::node_users::kMaxBytes)
    throw tool::Failure(tool::os,
                        fmt::format("{}: would be larger than {} bytes", lock.path(), config::node_users::kMaxBytes));
  lock.replace(text, 0, node_group(), kMode);
}

void update(const Options& options, const std::function<void(Users&)>& edit) {
  const config::file::Lock lock(paths::kNodeUsers);
  auto users = config::node_users::load(paths::kNodeUsers);
  const auto before = users;
  edit(users);
  if (options.has('b')) back_up(before, options.get('b', ""));
  save(lock, users);
}

int add(const Options& options) {
  const std::string name = options.get('u', "");
  auto known = config::node_users::load(paths::kNodeUsers);
  check_presence(known, name, false);
  const auto change = change_of(options, 'a');
  update(options, [&](Users& users) {
    check_presence(users, name, false);
    change.apply(users.emplace_back(config::NodeUser{name, "", "", {}}));
  });
  logging::event("Added node API user name={} account={}", name, *change.account);
  fmt::print(stderr, "{}: added\n", name);
  return tool::yes;
}

int modify(const Options& options) {
  const std::string name = options.get('u', "");
  auto known = config::node_users::load(paths::kNodeUsers);
  check_presence(known, name, true);
  const auto change = change_of(options, 'm');
  update(options, [&](Users& users) {
    check_presence(users, name, true);
    change.apply(*find(users, name));
  });
  logging::event("Changed node API user name={}", name);
  fmt::print(stderr, "{}: changed\n", name);
  return tool::yes;
}

int remove(const Options& options) {
  const std::string name = options.get('u', "");
  update(options, [&](Users& users) {
    check_presence(users, name, true);
    users.erase(find(users, name));
  });
  logging::event("Removed node API user name={}", name);
  fmt::print(stderr, "{}: removed\n", name);
  return tool::yes;
}

// --- showing -----------------------------------------------------------------------------

std::string table(const Users& users) {
  std::size_t name = 13;
  std::size_t account = 21;
  constexpr std::size_t kAclsWidth = 21;
  for (const auto& user : users) {
    name = std::max(name, user.name.size());
    account = std::max(account, user.system_user.size());
  }
  std::string text =
      fmt::format("List of Node API user(s):\n{:{}} {:{}} user acls\n", "user", name, "system/transfer", account);
  text += fmt::format("{:=<{}} {:=<{}} {:=<{}}\n", "", name, "", account, "", kAclsWidth);
  for (const auto& user : users)
    text += fmt::format("{:{}} {:{}} [{}]\n", user.name, name, user.system_user, account, fmt::join(user.acls, ","));
  return text;
}

// The service reads a changed file by itself, so this only reports whether it can.
int reload() {
  const auto users = config::node_users::load(paths::kNodeUsers);
  for (const auto& user : users) {
    if (!accounts::exists(user.system_user))
      fmt::print(stderr, "asnodeadmin: warning: {}: there is no account {} any more\n", user.name, user.system_user);
  }
  fmt::print(stderr, "asnodeadmin: {} user{}; the file is valid, and in force since it was changed\n", users.size(),
             users.size() == 1 ? "" : "s");
  return tool::yes;
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "amdlAhu:p:x:b:", kLongOptions, kUsage);
  password::hide(argc, argv, options.get('p', ""));
  const char action = action_of(options);
  check_options(options, action);
  if (action == 'h') io::write_all(STDOUT_FILENO, kHelp);
  if (action == 'A')
    io::write_all(STDOUT_FILENO, "admin    sees, renews and ends the leases of all users; reads /metrics\n");
  if (action == 'h' || action == 'A') return tool::yes;
  if (::geteuid() != 0)
    throw tool::Failure(tool::not_permitted,
                        "only root may see and change the users of the node API: run it as root, or with sudo");
  switch (action) {
    case 'a': return add(options);
    case 'm': return modify(options);
    case 'd': return remove(options);
    case 'l': io::write_all(STDOUT_FILENO, table(config::node_users::load(paths::kNodeUsers))); return tool::yes;
    case 'b': back_up(config::node_users::load(paths::kNodeUsers), options.get('b', "")); return tool::yes;
    default: return reload();
  }
}

}  // namespace

int main(int argc, char** argv) {
  return tool::guard("asnodeadmin", nullptr, run, argc, argv, tool::Audience::operators);
}
