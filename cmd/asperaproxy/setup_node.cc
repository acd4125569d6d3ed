#include "setup_node.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/accounts.h"
#include "base/cut.h"
#include "base/paths.h"
#include "base/root_only.h"
#include "base/signals.h"
#include "base/whole_file.h"
#include "doctor.h"
#include "judge.h"
#include "setup_outsider.h"
#include "setup_remains.h"
#include "who/authorized_keys.h"
#include "who/proxy_account.h"

namespace asperaproxy::setup {
namespace {

constexpr char kSize[] = "65536";  // of what the trial sends

std::vector<std::string> texts_of(const std::vector<IpAddress>& addresses) {
  std::vector<std::string> texts;
  for (const auto& address : addresses) texts.push_back(address.text());
  return texts;
}

std::string docroot_of(const Answers& answers, const std::string& name) {
  return fmt::format("{}/{}", answers.docroot, name);
}

// Where sshd listens for the proxy.
Port ssh_port() {
  const auto ports = doctor::ports_of(doctor::general_settings().text);
  return ports.empty() || std::find(ports.begin(), ports.end(), 22) != ports.end() ? Port(22) : ports[0];
}

// Our own, where the proxy's sessions come.
std::vector<IpAddress> own_ends(const Answers& answers) {
  std::vector<IpAddress> ends;
  for (const auto& proxy : answers.proxies) {
    if (const auto own = address_towards(proxy)) ends.push_back(*own);
  }
  return ends;
}

}  // namespace

std::string for_node(std::string_view drop_in, const Answers& answers, bool knows_penalties) {
  std::string text;
  for (const auto line : cut::lines(drop_in)) {
    if (!line.starts_with("PerSourceMaxStartups ")) {
      text += fmt::format("{}\n", line);
      continue;
    }
    text += "PerSourceMaxStartups none\n";
    if (knows_penalties)
      text += fmt::format("PerSourcePenaltyExemptList {}\n", fmt::join(texts_of(answers.proxies), ","));
  }
  return text;
}

Step node_account_step(const Answers& answers, const Journal&) {
  if (answers.user.empty()) return {"account", "none yet: asp-adduser makes one"};
  Step step{"account", fmt::format("{} transfers, and nothing else", answers.user)};
  const auto account = proxy_account::find(answers.user);
  if (account && account->in_group() && account->has_shell()) return step;
  step.commands.push_back({{suite_program("asp-adduser"), "-s", answers.user}});
  if (!account) step.undo.push_back({suite_program("asp-deluser"), answers.user});
  return step;
}

Step node_key_step(const Answers& answers, const Journal&) {
  if (answers.user.empty()) return {"proxy key", "none, since there is no account yet"};
  const std::string line = authorized_line(texts_of(answers.proxies), answers.key);
  Step step{"proxy key",
            fmt::format("the proxy at {} logs in to {} with {}", fmt::join(texts_of(answers.proxies), ", "),
                        answers.user, fingerprint_of(answers.key))};
  std::string keys = authorized_keys::read(answers.user).value_or("");
  const auto lines = cut::lines(keys);
  if (std::find(lines.begin(), lines.end(), line) != lines.end()) return step;
  if (!keys.empty() && keys.back() != '\n') keys += '\n';
  step.want({authorized_keys::path_of(answers.user), keys + line + "\n"});
  return step;
}

Step docroot_step(const Answers& answers, const Journal&) {
  Step step{"docroot", fmt::format("{}, a folder for each account", answers.docroot)};
  const auto make = [&](const std::string& folder, std::vector<std::string> argv) {
    if (::access(folder.c_str(), F_OK) == 0) return;
    argv.insert(argv.begin(), {"/usr/bin/install", "-d"});
    argv.push_back(folder);
    step.commands.push_back({argv});
    step.undo.insert(step.undo.begin(), {"/usr/bin/rmdir", folder});
  };
  const std::string own = docroot_of(answers, answers.user);
  // Whoever could write on the way would decide where the docroot lies.
  const bool is_there = ::access(answers.docroot.c_str(), F_OK) == 0;
  if (const auto wrong = root_only::way_complaint(is_there ? own : answers.docroot))
    throw tool::Failure(tool::not_permitted, *wrong);
  make(answers.docroot, {"-m", "755"});
  if (!answers.user.empty()) make(own, {"-m", "700", "-o", answers.user, "-g", answers.user});
  return step;
}

doctor::Verdict transfer_of(const Answers& answers) {
  const auto ends = own_ends(answers);
  if (answers.user.empty() || ends.empty())
    return doctor::warn("none was tried: that needs an account, and a way to the proxy",
                        "asperaproxy setup --yes --user NAME --key FILE");
  const SignalsPutOff put_off({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP});  // so that nothing of it is left
  const Outsider outsider(ends[0]);
  const Guest guest(answers.user, outsider.address());
  const std::string sent = guest.folder() + "/sent", fetched = guest.folder() + "/fetched", name = "/.sallyport-setup";
  const std::string at = fmt::format("{}@{}:", answers.user, HostPort{ends[0].text(), 0}.text());
  whole_file::write(sent, std::string(4000, 'x'));
  const std::vector<std::vector<std::string>> steps{
      {"-q", sent, at + name}, {"-q", at + name, fetched}, {"--rm", at + name}};
  for (const auto& words : steps) {
    std::vector<std::string> argv{"/usr/bin/prlimit",
                                  std::string("--fsize=") + kSize,
                                  "--",
                                  suite_program("asp-cp"),
                                  "-F",
                                  guest.folder() + "/ssh_config",
                                  "-i",
                                  guest.folder() + "/key",
                                  "-P",
                                  std::to_string(ssh_port())};
    argv.insert(argv.end(), words.begin(), words.end());
    const auto done = outsider.run(argv, 60);
    if (done.status == 0) continue;
    const auto said = cut::lines(done.err);
    return doctor::fail(fmt::format("{}: {}", answers.user, said.empty() ? "asp-cp says nothing" : said.back()),
                        "asperaproxy check; journalctl -t sshd -t sshd-session -t aspshell");
  }
  if (text_of(fetched) != text_of(sent))
    return doctor::fail("the file that came back is different", "asperaproxy check");
  return doctor::ok(fmt::format("{}: a file went into {}, came back, and is deleted", answers.user,
                                docroot_of(answers, answers.user)));
}

std::string node_remains(const Answers& answers) {
  std::string text = "\nWhat remains for others to do:\n\n";
  const auto ends = own_ends(answers);
  const std::string here =
      ends.empty() ? "this host" : HostPort{ends[0].text(), ssh_port() == 22 ? Port(0) : ssh_port()}.text();
  if (!answers.user.empty() && !ends.empty())
    text += fmt::format("On the proxy, if it has no rule for this server yet; its host key is what follows:\n\n"
                        "asperaproxy setup --server {} --squash {}\n{}\n\n",
                        here, answers.user, fingerprint_of(text_of("/etc/ssh/ssh_host_ed25519_key.pub").value_or("")));
  return text + "The firewalls have to let this through, and the answers to it:\n\n" +
         table({{"inner", fmt::format("{}", fmt::join(texts_of(answers.proxies), ", ")),
                 fmt::format("{}", fmt::join(texts_of(ends), ", ")), fmt::format("TCP {}, UDP 33001", ssh_port())}});
}

}  // namespace asperaproxy::setup
