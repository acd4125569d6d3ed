#include "home.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <fmt/core.h>

#include "base/child.h"
#include "base/cut.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/record.h"
#include "base/whole_file.h"
#include "who/as_user.h"

namespace home {
namespace {

constexpr char kKeygen[] = "/usr/bin/ssh-keygen";
constexpr std::size_t kMaxFile = 1024 * 1024;
constexpr int kKeygenSeconds = 45;

// Everything below runs as the user, in ~/.ssh.

std::string shown(const std::string& name) { return "~/.ssh/" + name; }
std::string temporary(const std::string& name) { return fmt::format(".{}.{}", name, ::getpid()); }

bool is_there(const std::string& name) {
  struct stat status {};
  return ::lstat(name.c_str(), &status) == 0;
}

// Opens the file, and tightens its mode to `mode`. An Fd without a file when there is none of that
// name.
Fd open_own(const std::string& name, mode_t mode, std::vector<std::string>& steps) {
  Fd file(::open(name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file && errno == ENOENT) return file;
  if (!file && errno == ELOOP) throw tool::Failure(tool::not_permitted, shown(name) + ": is a symbolic link");
  if (!file) tool::fail_errno(tool::os, "open " + shown(name));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) tool::fail_errno(tool::os, "stat " + shown(name));
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || status.st_nlink != 1) {
    throw tool::Failure(tool::not_permitted, shown(name) + ": is not a file of the user's own");
  }
  if ((status.st_mode & 07777 & ~mode) != 0) {
    if (::fchmod(file.get(), mode) != 0) tool::fail_errno(tool::os, "chmod " + shown(name));
    steps.push_back(fmt::format("took rights of others off {}", shown(name)));
  }
  return file;
}

void write_file(const std::string& name, const std::string& text, mode_t mode) {
  whole_file::write(name, text, {.mode = mode, .durable = true, .beside = temporary(name), .shown = shown(name)});
}

std::string read_own(const std::string& name) {
  std::vector<std::string> steps;
  const Fd file = open_own(name, 07777, steps);
  std::string text = file ? io::read_all(file.get(), kMaxFile, shown(name)) : "";
  if (!text.empty() && text.back() != '\n') text += '\n';
  return text;
}

child::Output keygen(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), kKeygen);
  return child::run({arguments, env::allow({}), {}}, "", kMaxFile, kKeygenSeconds);
}

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

// Both halves are made under other names first. The private one is moved last, since its presence
// means that there is a pair.
void make_pair(const std::string& user, const std::string& type, const std::string& name) {
  const std::string fresh = temporary(name);
  const auto discard = [&] {
    ::unlink(fresh.c_str());
    ::unlink((fresh + ".pub").c_str());
  };
  discard();
  const auto made = keygen({"-q", "-t", type, "-N", "", "-C", fmt::format("{}@{}", user, host_name()), "-f", fresh});
  const bool moved = made.status == 0 && ::chmod((fresh + ".pub").c_str(), 0644) == 0 &&
                     ::rename((fresh + ".pub").c_str(), (name + ".pub").c_str()) == 0 &&
                     ::rename(fresh.c_str(), name.c_str()) == 0;
  if (moved) return;
  discard();
  throw tool::Failure(tool::os, fmt::format("make {}: {}", shown(name), made.err.substr(0, 200)));
}

// Computed from the private half, whatever the file beside it contains.
std::string public_half(const std::string& name) {
  const auto answer = keygen({"-y", "-P", "", "-f", name});
  if (answer.status != 0) {
    throw tool::Failure(tool::os, fmt::format("{}: has a passphrase, or is not a private key: {}", shown(name),
                                              answer.err.substr(0, 200)));
  }
  return answer.out.substr(0, answer.out.find('\n'));
}

std::string provide_pair(const std::string& user, const std::string& type, std::vector<std::string>& steps) {
  const std::string name = "id_" + type;
  if (!open_own(name, 0600, steps)) {
    make_pair(user, type, name);
    steps.push_back("made the key pair " + shown(name));
  }
  const std::string key = public_half(name);
  if (!is_there(name + ".pub")) {
    write_file(name + ".pub", key + "\n", 0644);
    steps.push_back("wrote " + shown(name) + ".pub anew");
  }
  return key;
}

std::string work(const std::string& user, const Wanted& wanted) {
  std::vector<std::string> steps;
  const Fd folder = as_user::open_ssh_folder(true);
  if (::fchdir(folder.get()) != 0) tool::fail_errno(tool::os, "chdir ~/.ssh");
  Record made;
  if (wanted.own_pair) made.add("key", provide_pair(user, wanted.type, steps));
  for (const auto& step : steps) made.add("step", step);
  return made.text();
}

}  // namespace

Made furnish(const proxy_account::Account& account, const Wanted& wanted) {
  const std::string said = as_user::run(account, [&] { return work(account.name, wanted); });
  Made made;
  if (said == "\n") return made;  // a record without fields
  const Record record = record::parse_one(said);
  record.check_names({"key"}, {"step"});
  made.steps = record.all("step");
  if (wanted.own_pair)
    made.public_key = public_key::parse(record.require("key"), account.name + ": key pair").at(0).line();
  return made;
}

std::string keys_at_home(const proxy_account::Account& account) {
  return as_user::run(account, [] {
    const Fd folder = as_user::open_ssh_folder(false);
    if (!folder) return std::string();
    if (::fchdir(folder.get()) != 0) tool::fail_errno(tool::os, "chdir ~/.ssh");
    return read_own("authorized_keys") + read_own("authorized_keys2");
  });
}

}  // namespace home
