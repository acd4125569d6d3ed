#include "spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include <fmt/core.h>

#include "io.h"
#include "logging.h"
#include "paths.h"
#include "tool.h"

namespace spool {
namespace {

std::string in(const char* directory, const std::string& name) { return fmt::format("{}/{}/{}", paths::kRun, directory, name); }
constexpr char kSessionsDir[] = "sessions";

// A temporary name starts with a dot; records do not.
std::string temporary(const std::string& id) { return in(kSessionsDir, "." + id); }

void make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) tool::fail_errno(tool::os, "mkdir " + path);
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) tool::fail_errno(tool::os, "stat " + path);
  if (!S_ISDIR(status.st_mode) || status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    throw tool::Failure(tool::os, path + ": must be a directory that root alone may write to");
  }
}

std::vector<std::string> names_in(const char* directory) {
  const std::string path = fmt::format("{}/{}", paths::kRun, directory);
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(path.c_str()), ::closedir);
  if (!opened) tool::fail_errno(tool::os, "open " + path);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(opened.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

enum class Lock { taken, held, gone };

// Whether the file that is now at `path` is locked by somebody; takes the lock
// when not. A holder that updates its record renames a new, locked file over
// the old one: a lock on a file that is no longer at `path` means nothing, so
// it is tried again.
Lock try_lock(const std::string& path, int flags, Fd& lock) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    lock = Fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) {
      if (errno == ENOENT) return Lock::gone;
      tool::fail_errno(tool::os, "open " + path);
    }
    const bool locked = ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0;
    struct stat ours{};
    struct stat there{};
    if (::fstat(lock.get(), &ours) != 0) tool::fail_errno(tool::os, "stat " + path);
    if (::stat(path.c_str(), &there) != 0) {
      if ((flags & O_CREAT) != 0) continue;
      return Lock::gone;
    }
    if (ours.st_ino != there.st_ino) continue;
    return locked ? Lock::taken : Lock::held;
  }
  return Lock::held;  // changes all the time, so somebody is alive
}

std::optional<Session> read_session(int fd, const std::string& path) {
  try {
    return Session::from_record(record::parse_one(io::read_all(fd, Record::kMaxBytes, path)));
  } catch (const tool::Failure& failure) {
    logging::error("Unreadable session record {}: {}", path, failure.what());
    return std::nullopt;
  }
}

}  // namespace

void prepare() {
  make_directory(paths::kRun, 0755);
  for (const char* name : {kSessionsDir, kCallers, kTurns}) make_directory(fmt::format("{}/{}", paths::kRun, name), 0700);
}

FirewallLock::FirewallLock() {
  const std::string path = fmt::format("{}/lock", paths::kRun);
  lock_ = fd::open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  constexpr auto kPause = std::chrono::milliseconds(2);
  constexpr int kTries = 5000;
  for (int i = 0; i < kTries; ++i) {
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return;
    if (errno != EWOULDBLOCK && errno != EINTR) tool::fail_errno(tool::os, "lock " + path);
    std::this_thread::sleep_for(kPause);
  }
  throw tool::Failure(tool::temporary, path + ": still locked after 10 s");
}

std::optional<Token> Token::take(const std::string& directory, const std::string& name) {
  const std::string path = in(directory.c_str(), name);
  Fd lock;
  if (try_lock(path, O_RDWR | O_CREAT, lock) != Lock::taken) return std::nullopt;
  return Token(path, std::move(lock));
}

// Unlinked while still locked, so that nobody else loses a fresh one.
Token::~Token() {
  if (lock_) ::unlink(path_.c_str());
}

Entry::Entry(const Session& session) : path_(in(kSessionsDir, session.id)) {
  struct stat status{};
  if (::lstat(path_.c_str(), &status) == 0) {
    throw tool::Failure(tool::not_permitted, fmt::format("session {} exists already", session.id));
  }
  update(session);
}

void Entry::update(const Session& session) {
  const std::string fresh = temporary(session.id);
  Fd file = fd::open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) tool::fail_errno(tool::os, "lock " + fresh);
  io::write_all(file.get(), session.to_record().text());
  if (::rename(fresh.c_str(), path_.c_str()) != 0) tool::fail_errno(tool::os, "rename " + fresh);
  lock_ = std::move(file);
}

void Entry::remove() {
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) tool::fail_errno(tool::os, "remove " + path_);
  lock_.reset();
}

std::vector<Session> living() {
  std::vector<Session> sessions;
  for (const auto& name : names_in(kSessionsDir)) {
    if (!session::is_id(name)) continue;
    Fd lock;
    const std::string path = in(kSessionsDir, name);
    if (try_lock(path, O_RDONLY, lock) != Lock::held) continue;
    if (auto session = read_session(lock.get(), path)) sessions.push_back(std::move(*session));
  }
  return sessions;
}

std::vector<Orphan> orphans() {
  std::vector<Orphan> found;
  for (const auto& name : names_in(kSessionsDir)) {
    const std::string path = in(kSessionsDir, name);
    Fd lock;
    if (try_lock(path, O_RDONLY, lock) != Lock::taken) continue;
    auto session = session::is_id(name) ? read_session(lock.get(), path) : std::nullopt;
    if (session) found.push_back({std::move(*session), path, std::move(lock)});
    else ::unlink(path.c_str());
  }
  return found;
}

void remove(const Orphan& orphan) { ::unlink(orphan.path.c_str()); }

void sweep_tokens() {
  for (const char* directory : {kCallers, kTurns}) {
    for (const auto& name : names_in(directory)) Token::take(directory, name);
  }
}

}  // namespace spool
