#include "who/as_user.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>

#include <fmt/core.h>

#include "base/await.h"
#include "base/child.h"
#include "base/failure.h"
#include "base/io.h"

namespace as_user {
namespace {

constexpr auto kWorkTime = std::chrono::seconds(60);
constexpr std::size_t kMaxAnswer = 64 * 1024;

void become(const proxy_account::Account& account) {
  if (::setgroups(1, &account.gid) != 0) tool::fail_errno(tool::os, "setgroups");
  if (::setresgid(account.gid, account.gid, account.gid) != 0) tool::fail_errno(tool::os, "setgid");
  if (::setresuid(account.uid, account.uid, account.uid) != 0) tool::fail_errno(tool::os, "setuid");
}

// Takes the administrator's terminal out of the user's reach.
void leave_terminal() {
  ::setsid();
  const Fd null = fd::open("/dev/null", O_RDWR);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null.get(), standard);
}

// Runs the whole life of the child, and returns its exit status.
int run_child(const proxy_account::Account& account, const std::function<std::string()>& work, const Fd& answer) {
  int code = tool::internal;
  std::string text;
  try {
    leave_terminal();
    become(account);
    ::umask(077);
    if (::chdir(account.home.c_str()) != 0) {
      const bool closed = errno == EACCES;
      tool::fail_errno(closed ? tool::not_permitted : tool::os, "home directory: chdir " + account.home);
    }
    text = work();
    code = tool::yes;
  } catch (const tool::Failure& failure) {
    code = failure.code();
    text = failure.what();
  } catch (const std::exception& fault) {
    text = std::string("internal error: ") + fault.what();
  }
  try {
    io::write_all(answer.get(), text);
  } catch (const tool::Failure&) {
    return tool::io;
  }
  return code;
}

void await_readable(int descriptor, const Deadline& deadline) {
  if (deadline.over() || !await::readable(descriptor, deadline))
    throw tool::Failure(tool::os, "work in the user's home directory: timed out");
}

std::string read_answer(const Fd& from, const Deadline& deadline) {
  std::string text;
  char chunk[4096];
  for (;;) {
    await_readable(from.get(), deadline);
    const ssize_t got = ::read(from.get(), chunk, sizeof chunk);
    if (got == 0) return text;
    if (got < 0) tool::fail_errno(tool::os, "read");
    text.append(chunk, static_cast<std::size_t>(got));
    if (text.size() > kMaxAnswer)
      throw tool::Failure(tool::os, "work in the user's home directory: the answer is too long");
  }
}

}  // namespace

std::string run(const proxy_account::Account& account, const std::function<std::string()>& work) {
  const auto deadline = Deadline::in(kWorkTime);
  auto answer = fd::pipe();
  const pid_t pid = ::fork();
  if (pid < 0) tool::fail_errno(tool::os, "fork");
  if (pid == 0) ::_exit(run_child(account, work, answer.write));
  child::Child child(pid);
  answer.write.reset();
  const std::string text = read_answer(answer.read, deadline);
  await_readable(child.pidfd(), deadline);
  const int status = child.wait();
  if (status == 0) return text;
  if (!tool::is_exit(status) || text.empty())
    throw tool::Failure(tool::os, fmt::format("work in the user's home directory: died ({})", status));
  throw tool::Failure(static_cast<tool::Exit>(status), fmt::format("{}: {}", account.name, text));
}

Fd open_ssh_folder(bool make) {
  const auto own = [](const Fd& folder, const char* name) {
    struct stat status {};
    if (::fstat(folder.get(), &status) != 0) tool::fail_errno(tool::os, std::string("stat ") + name);
    if (status.st_uid != ::geteuid())
      throw tool::Failure(tool::not_permitted, std::string(name) + ": belongs to somebody else");
    // sshd accepts no keys from a folder that others may write to.
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && ::fchmod(folder.get(), status.st_mode & 0755) != 0) {
      tool::fail_errno(tool::os, std::string("chmod ") + name);
    }
  };
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  const Fd home = fd::open(".", kFlags);
  own(home, "home directory");
  if (make && ::mkdirat(home.get(), ".ssh", 0700) != 0 && errno != EEXIST) tool::fail_errno(tool::os, "make ~/.ssh");
  Fd folder(::openat(home.get(), ".ssh", kFlags | O_NOFOLLOW));
  if (!folder && !make && errno == ENOENT) return folder;
  if (!folder && (errno == ENOTDIR || errno == ELOOP)) {
    throw tool::Failure(tool::not_permitted, "~/.ssh: must be a directory, not a symbolic link");
  }
  if (!folder) tool::fail_errno(tool::os, "open ~/.ssh");
  own(folder, "~/.ssh");
  return folder;
}

}  // namespace as_user
