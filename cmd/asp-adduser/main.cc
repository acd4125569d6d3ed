// asp-adduser: makes accounts that can transfer through the proxy, and nothing else; asp-adduser(8).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include <fmt/core.h>

#include "base/child.h"
#include "base/env.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/options.h"
#include "base/tool.h"
#include "enrolment.h"
#include "home.h"
#include "public_key.h"
#include "who/proxy_account.h"

namespace {

constexpr char kUsage[] = "asp-adduser [-ms] [-k public_key_file] [-t ed25519|rsa] name ...";

// Reads a regular file. A pipe or a device could make us wait, or never end.
std::string read_file(const std::string& path) {
  const Fd file = [&] {
    try {
      return fd::open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    } catch (const tool::Failure& failure) {
      throw tool::Failure(tool::bad_input, failure.what());
    }
  }();
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) tool::fail_errno(tool::os, "stat " + path);
  if (!S_ISREG(status.st_mode)) throw tool::Failure(tool::bad_input, path + ": is not a file");
  return io::read_all(file.get(), public_key::kMaxText, path);
}

// ssh-keygen has the final decision on each key.
std::string fingerprint(const public_key::Key& key) {
  constexpr int kSeconds = 10;
  const auto answer = child::run({{"/usr/bin/ssh-keygen", "-l", "-f", "-"}, env::allow({}), {}}, key.line() + "\n",
                                 64 * 1024, kSeconds);
  if (answer.status != 0)
    throw tool::Failure(tool::bad_input, fmt::format("ssh-keygen does not take the key {}", key.line()));
  return answer.out.substr(0, answer.out.find('\n'));
}

std::vector<public_key::Key> read_keys(const std::string& path) {
  const bool standard = path == "-";
  const std::string name = standard ? "standard input" : path;
  auto keys =
      public_key::parse(standard ? io::read_all(STDIN_FILENO, public_key::kMaxText, name) : read_file(path), name);
  for (const auto& key : keys) fmt::print(stderr, "asp-adduser: key {}\n", logging::escape(fingerprint(key)));
  return keys;
}

home::Wanted wanted_by(const Options& options) {
  home::Wanted wanted;
  wanted.own_pair = !options.has('s');
  wanted.move = options.has('m');
  wanted.type = options.get('t', wanted.type);
  if (wanted.type != "ed25519" && wanted.type != "rsa")
    options::fail_usage(kUsage, fmt::format("-t {}: not ed25519 or rsa", wanted.type));
  if (options.has('t') && options.has('s')) options::fail_usage(kUsage, "-t is for a key pair, and -s makes none");
  return wanted;
}

void check_names(const std::vector<std::string>& names) {
  if (names.empty()) options::fail_usage(kUsage, "a name is needed");
  for (const auto& name : names) {
    if (!proxy_account::is_name(name))
      options::fail_usage(
          kUsage, fmt::format("'{}' is not a name for an account on this host: letters, digits, . _ and "
                              "-, at most 32; for accounts of a directory service see INSTALL, Accounts and log-ins",
                              name));
  }
}

void tell(const std::string& name, const home::Made& made) {
  for (const auto& step : made.steps) fmt::print(stderr, "{}: {}\n", name, logging::escape(step));
  if (made.steps.empty()) fmt::print(stderr, "{}: nothing to do\n", name);
  for (const auto& warning : made.warnings) fmt::print(stderr, "{}: {}\n", name, logging::escape(warning));
  if (!made.public_key.empty()) io::write_all(STDOUT_FILENO, made.public_key + "\n");
}

int run(int argc, char** argv) {
  const auto options = options::parse(argc, argv, "k:mst:", kUsage);
  check_names(options.operands);
  auto wanted = wanted_by(options);
  if (::geteuid() != 0)
    throw tool::Failure(tool::not_permitted, "only root may change accounts: run it as root, or with sudo");
  if (options.has('k')) wanted.keys = read_keys(options.get('k', ""));
  ::umask(022);
  if (::chdir("/") != 0) tool::fail_errno(tool::os, "chdir /");
  for (const auto& name : options.operands) tell(name, enrolment::enrol(name, wanted));
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) {
  return tool::guard("asp-adduser", kUsage, run, argc, argv, tool::Audience::operators);
}
