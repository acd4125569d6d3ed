#include "setup_sshd.h"

#include <pwd.h>
#include <shadow.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/accounts.h"
#include "base/cut.h"
#include "base/deadline.h"
#include "base/failure.h"
#include "base/paths.h"
#include "base/whole_file.h"
#include "doctor.h"
#include "judge.h"
#include "session/ending.h"
#include "session/spool.h"
#include "setup_node.h"
#include "sshd_contexts.h"
#include "unit.h"
#include "who/authorized_keys.h"

namespace asperaproxy::setup {
namespace {

constexpr char kMain[] = "/etc/ssh/sshd_config";
constexpr char kConfigFolder[] = "/etc/ssh/sshd_config.d";
constexpr char kName[] = "sallyport.conf";
constexpr char kSocketFile[] = "/etc/systemd/system/ssh.socket.d/sallyport.conf";
constexpr char kSshd[] = "/usr/sbin/sshd";

std::string installed() { return fmt::format("{}/{}", kConfigFolder, kName); }

std::vector<std::string> names_in_folder() {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(kConfigFolder, none)) {
    const std::string name = entry.path().filename();
    if (name.ends_with(".conf") && !name.starts_with('.')) names.push_back(name);
  }
  return names;
}

// sshd's view of the host if our drop-in were `text`.
class Candidate {
 public:
  explicit Candidate(const std::string& text) {
    session::spool::prepare();
    const std::string folder = paths::kRun;
    drop_in_ = folder + "/setup-sshd-drop-in";
    main_ = folder + "/setup-sshd-config";
    whole_file::write(drop_in_, text);
    const auto main = text_of(kMain);
    if (!main) throw tool::Failure(tool::os, fmt::format("{} is missing: is openssh-server installed?", kMain));
    const std::string whole = with_candidate(*main, names_in_folder(), drop_in_);
    if (whole.empty())
      throw tool::Failure(tool::os, fmt::format("{0} does not include {1}/*.conf: write the line Include {1}/*.conf at "
                                                "its beginning",
                                                kMain, kConfigFolder));
    whole_file::write(main_, whole);
  }
  Candidate(const Candidate&) = delete;
  Candidate& operator=(const Candidate&) = delete;
  ~Candidate() {
    ::unlink(main_.c_str());
    ::unlink(drop_in_.c_str());
  }

  // What sshd would apply; Failure{71}: it does not take the text.
  std::string settings(const std::string& user = {}) const {
    std::vector<std::string> argv{kSshd, "-T", "-f", main_};
    if (!user.empty()) argv.insert(argv.end(), {"-C", fmt::format("user={},host=localhost,addr=127.0.0.1", user)});
    const auto answer = doctor::ask(argv);
    if (!answer.well()) throw tool::Failure(tool::os, "sshd -T: " + answer.first_complaint());
    return answer.out;
  }

 private:
  std::string drop_in_;
  std::string main_;
};

bool has_line(std::string_view settings, std::string_view wanted) {
  for (const auto line : cut::lines(settings)) {
    if (line == wanted) return true;
  }
  return false;
}

// --- who could still log in ---------------------------------------------------------------------

bool may_sudo(const std::string& user) {
  const auto groups = accounts::groups_of(user);
  return std::any_of(groups.begin(), groups.end(),
                     [](const std::string& group) { return group == "sudo" || group == "wheel" || group == "admin"; });
}

bool has_key(const std::string& user, const std::string& settings) {
  if (has_line(settings, "pubkeyauthentication no")) return false;
  const auto files = authorized_keys::read_by_sshd(settings, user, accounts::home_of(user));
  return std::any_of(files.begin(), files.end(), [](const std::string& path) {
    std::error_code none;
    return std::filesystem::file_size(path, none) > 0 && !none;
  });
}

bool has_password(const std::string& user, const std::string& settings) {
  const spwd* const shadow = ::getspnam(user.c_str());
  return shadow && shadow->sp_pwdp[0] == '$' &&
         (has_line(settings, "passwordauthentication yes") || has_line(settings, "kbdinteractiveauthentication yes"));
}

// True if that person could log in with the candidate, and become root.
bool gets_in(const std::string& name, const Candidate& candidate) {
  const passwd* const account = ::getpwnam(name.c_str());
  const auto groups = accounts::groups_of(name);
  if (!account || std::find(groups.begin(), groups.end(), paths::kGroup) != groups.end()) return false;
  const std::string shell = account->pw_shell;
  if (shell.ends_with("/nologin") || shell.ends_with("/false")) return false;
  if (account->pw_uid != 0 && !may_sudo(name)) return false;
  const std::string settings = candidate.settings(name);
  if (!doctor::judge_admission(settings, name, groups).empty()) return false;
  const bool by_key = has_key(name, settings);
  if (account->pw_uid != 0 || has_line(settings, "permitrootlogin yes")) return by_key || has_password(name, settings);
  return by_key && !has_line(settings, "permitrootlogin no");
}

// Those of directory services may not be among them, but for the one who runs this.
std::vector<std::string> everybody(const std::string& invoker) {
  std::vector<std::string> names{invoker};
  ::setpwent();
  while (const passwd* const one = ::getpwent()) names.emplace_back(one->pw_name);
  ::endpwent();
  return names;
}

// Whoever is in now is to get in again. An account of the proxy's users has aspshell for a shell; root may not log in,
// so somebody else has to be able to become root.
void refuse_lockout(const Answers& answers, const Candidate& candidate) {
  const auto who = session::ending::invoker();
  const auto groups = accounts::groups_of(who.name);
  if (who.uid != 0 && std::find(groups.begin(), groups.end(), paths::kGroup) != groups.end())
    throw tool::Failure(tool::not_permitted,
                        fmt::format("{0} is in the group {1}, and would get aspshell as a shell: gpasswd -d {0} {1}",
                                    who.name, paths::kGroup));
  const std::string now = doctor::ask({kSshd, "-T", "-C", "user=root,host=localhost,addr=127.0.0.1"}).out;
  if (answers.root_login == RootLogin::no || has_line(now, "permitrootlogin no")) return;
  const auto names = everybody(who.name);
  if (std::any_of(names.begin(), names.end(), [&](const std::string& name) { return gets_in(name, candidate); }))
    return;
  throw tool::Failure(
      tool::not_permitted,
      answers.root_login == RootLogin::key
          ? "nobody could log in any more to administer this host: root has no key in ~/.ssh/authorized_keys, and no "
            "account in the group sudo has a key or a password that sshd takes"
          : "nobody could log in any more to administer this host, since root may not: make an account in the group "
            "sudo with a key of its own; or give --root-login key, so that root may log in with a key; or --root-login "
            "no, if you have a console");
}

// --- the step -------------------------------------------------------------------------------------

std::vector<Port> listening(const std::vector<Port>& ports) {
  std::vector<Port> found;
  std::copy_if(ports.begin(), ports.end(), std::back_inserter(found), doctor::listens);
  return found;
}

bool is_active(const std::string& unit) {
  return unit::runs_here() && doctor::ask({unit::kSystemctl, "--quiet", "is-active", unit}).well();
}

std::string socket_file() {
  const auto shown = doctor::ask({unit::kSystemctl, "show", "--property=BindIPv6Only", "ssh.socket"}).out;
  const bool v6_alone = shown.find("ipv6-only") != shown.npos;
  return fmt::format("# Sallyport: a port for transfers, besides those that ssh.socket has.\n[Socket]\n{}",
                     v6_alone ? "ListenStream=0.0.0.0:33001\nListenStream=[::]:33001\n" : "ListenStream=33001\n");
}

void wait_for(const std::vector<Port>& ports) {
  const auto deadline = Deadline::in(std::chrono::seconds(10));
  for (const Port port : ports) {
    while (!doctor::listens(port)) {
      if (deadline.over()) throw tool::Failure(tool::os, fmt::format("nobody listens on TCP {} within 10 s", port));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

// A daemon that the socket has started keeps the socket from listening anew; its sessions have processes of their own.
std::vector<std::vector<std::string>> reloads() {
  if (is_active("ssh.socket"))
    return {{unit::kSystemctl, "daemon-reload"},
            {unit::kSystemctl, "stop", "ssh.service"},
            {unit::kSystemctl, "restart", "ssh.socket"}};
  if (unit::runs_here()) return {{unit::kSystemctl, "reload-or-restart", "ssh"}};
  return {{"/etc/init.d/ssh", "reload"}};
}

// sshd -T wants it, and where systemd listens, it is there only while somebody is logged in.
void make_separation() {
  if (::mkdir("/run/sshd", 0755) != 0 && errno != EEXIST) tool::fail_errno(tool::os, "make /run/sshd");
}

bool takes(const std::string& text) {
  try {
    return !Candidate(text).settings().empty();
  } catch (const tool::Failure&) {
    return false;
  }
}

// Our drop-in with the ports that the host needs.
std::string wanted_text(const Answers& answers) {
  const auto sample = text_of(fmt::format("{}/etc/sshd_config.d/{}", paths::kPrefix, kName));
  if (!sample) throw tool::Failure(tool::os, fmt::format("the sample for sshd is missing below {}", paths::kPrefix));
  const auto now = doctor::ask({kSshd, "-T"});
  if (!now.well()) throw tool::Failure(tool::os, "sshd -t: " + now.first_complaint());
  // A node's is where the proxies expect it already.
  if (answers.node()) {
    const std::string text = for_node(drop_in(*sample, {}, answers.root_login), answers, true);
    return takes(text) ? text : for_node(drop_in(*sample, {}, answers.root_login), answers, false);
  }
  const auto probe = doctor::ports_of(Candidate(fmt::format("Port {}\n", doctor::kUsualSshPort)).settings());
  return drop_in(*sample, ports_to_add(doctor::ports_of(now.out), probe), answers.root_login);
}

}  // namespace

std::string drop_in(std::string_view sample, const std::vector<Port>& ports, RootLogin root_login) {
  std::string text;
  bool written = false;
  for (const auto line : cut::lines(sample)) {
    if (line.starts_with("Port ")) {
      for (const Port port : written ? std::vector<Port>{} : ports) text += fmt::format("Port {}\n", port);
      written = true;
    } else if (line == "PermitRootLogin no" && root_login == RootLogin::key) {
      text += "PermitRootLogin prohibit-password\n";
    } else {
      text += fmt::format("{}\n", line);
    }
  }
  return text;
}

std::string with_candidate(std::string_view main, std::vector<std::string> names, const std::string& candidate) {
  if (std::find(names.begin(), names.end(), kName) == names.end()) names.emplace_back(kName);
  std::sort(names.begin(), names.end());
  std::string text;
  bool included = false;
  for (const auto line : cut::lines(main)) {
    const auto words = cut::words(line);
    const bool ours = words.size() == 2 && strcasecmp(std::string(words[0]).c_str(), "include") == 0 &&
                      (words[1] == "/etc/ssh/sshd_config.d/*.conf" || words[1] == "sshd_config.d/*.conf");
    if (!ours) {
      text += fmt::format("{}\n", line);
      continue;
    }
    included = true;
    for (const auto& name : names)
      text += fmt::format("Include {}\n", name == kName ? candidate : fmt::format("{}/{}", kConfigFolder, name));
  }
  return included ? text : "";
}

std::vector<Port> ports_to_add(const std::vector<Port>& now, std::vector<Port> probe) {
  if (const auto own = std::find(probe.begin(), probe.end(), doctor::kUsualSshPort); own != probe.end())
    probe.erase(own);
  std::set<Port> wanted(now.begin(), now.end());
  wanted.insert(doctor::kUsualSshPort);
  for (const Port port : probe) wanted.erase(port);
  return {wanted.begin(), wanted.end()};
}

Step sshd_step(const Answers& answers, const Journal& journal) {
  make_separation();
  Step step{"sshd", ""};
  std::string text = wanted_text(answers);
  const Text there = text_of(installed());
  // What somebody else wrote there stays.
  const bool theirs = there && *there != text && !journal.wrote(installed());
  if (theirs) text = *there;
  const Candidate candidate(text);
  const auto ports = doctor::ports_of(candidate.settings());
  step.state = fmt::format("listens on {}, confines the group {}{}", fmt::join(ports, " and "), paths::kGroup,
                           theirs ? fmt::format("; somebody has edited {}, and it is left so", installed()) : "");
  refuse_lockout(answers, candidate);
  step.want({installed(), text});
  const bool listens = answers.node() || doctor::listens(doctor::kUsualSshPort);
  if (is_active("ssh.socket") && !listens) step.want({kSocketFile, socket_file()});
  if (step.files.empty() && listens) return step;
  for (const auto& argv : reloads()) step.commands.push_back({argv});
  step.undo = reloads();
  auto must = listening(doctor::ports_of(doctor::ask({kSshd, "-T"}).out));
  if (!answers.node()) must.push_back(doctor::kUsualSshPort);
  step.trial = [must] { wait_for(must); };
  return step;
}

}  // namespace asperaproxy::setup
