#include "session/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/io.h"
#include "base/log_file.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/root_only.h"
#include "base/uuid.h"

namespace session::spool {
namespace {

std::string in(const char* directory, const std::string& name) {
  return fmt::format("{}/{}/{}", paths::kRun, directory, name);
}
constexpr char kSessionsDir[] = "sessions";
constexpr char kClientsDir[] = "clients";
constexpr char kRulesDir[] = "rules";
constexpr char kUsersDir[] = "users";
constexpr char kChainsDir[] = "chains";
constexpr char kOffersDir[] = "offers";

// A temporary name starts with a dot; records do not.
std::string temporary(const std::string& id) { return in(kSessionsDir, "." + id); }

// Sets the mode whatever the umask is.
void make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) {
    if (::chmod(path.c_str(), mode) != 0) tool::fail_errno(tool::os, "chmod " + path);
  } else if (errno != EEXIST) {
    tool::fail_errno(tool::os, "mkdir " + path);
  }
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) tool::fail_errno(tool::os, "stat " + path);
  if (!S_ISDIR(status.st_mode) || !root_only::is(status)) {
    throw tool::Failure(tool::os, path + ": must be a directory that root alone may write to");
  }
}

}  // namespace

std::vector<std::string> names_in(const std::string& directory) {
  const std::string path = fmt::format("{}/{}", paths::kRun, directory);
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(path.c_str()), ::closedir);
  if (!opened && errno == ENOENT) return {};
  if (!opened) tool::fail_errno(tool::os, "open " + path);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(opened.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

namespace {

enum class Lock { taken, held, gone };

// Tells whether the file that is now at `path` is locked; takes the lock when it is not. A holder that
// updates its record renames a new, locked file over the old one. A lock on a file that is no longer
// at `path` means nothing, so it is tried again.
Lock try_lock(const std::string& path, int flags, Fd& lock) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    lock = Fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) {
      if (errno == ENOENT) return Lock::gone;
      tool::fail_errno(tool::os, "open " + path);
    }
    const bool locked = ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0;
    struct stat opened {};
    struct stat there {};
    if (::fstat(lock.get(), &opened) != 0) tool::fail_errno(tool::os, "stat " + path);
    if (::stat(path.c_str(), &there) != 0) {
      if ((flags & O_CREAT) != 0) continue;
      return Lock::gone;
    }
    if (opened.st_ino != there.st_ino) continue;
    return locked ? Lock::taken : Lock::held;
  }
  return Lock::held;  // it changes all the time, so its holder is alive
}

std::optional<Session> read_session(int fd, const std::string& path) {
  try {
    return Session::from_record(record::parse_one(io::read_all(fd, Record::kMaxBytes, path)));
  } catch (const tool::Failure& failure) {
    logging::error("Unreadable session record {}: {}", logging::escape(path), logging::escape(failure.what()));
    return std::nullopt;
  }
}

const std::string kDrain = fmt::format("{}/drain", paths::kRun);
const std::string kStopped = fmt::format("{}/stopped", paths::kRun);

bool has_mark(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

void set_mark(const std::string& path, bool on) {
  prepare();
  if (on) fd::open(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644);
  else if (::unlink(path.c_str()) != 0 && errno != ENOENT) tool::fail_errno(tool::os, "remove " + path);
}

std::string client_directory(const IpAddress& client) { return fmt::format("{}/{}", kClientsDir, client.text()); }
std::string rule_directory(int rule) { return fmt::format("{}/{}", kRulesDir, rule); }

std::string user_directory(const std::string& user) { return fmt::format("{}/{}", kUsersDir, user); }

std::string chain_directory(const IpAddress& client) {
  return fmt::format("{}/{}", kChainsDir, client.is_v4() ? 4 : 6);
}

std::vector<std::string> indexes_of(const Session& session) {
  std::vector<std::string> indexes{client_directory(session.client.ip), rule_directory(session.route.rule),
                                   user_directory(session.user)};
  if (session.route.forwarding == config::Forwarding::iptables) indexes.push_back(chain_directory(session.client.ip));
  return indexes;
}

// The last session in the directory deletes it, perhaps at this moment.
void add_to_index(const std::string& directory, const std::string& id) {
  const std::string marker = in(directory.c_str(), id);
  for (int attempt = 0; attempt < 100; ++attempt) {
    ::mkdir(fmt::format("{}/{}", paths::kRun, directory).c_str(), 0700);
    const Fd made(::open(marker.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (made) return;
    if (errno != ENOENT) break;
  }
  tool::fail_errno(tool::os, "open " + marker);
}

void remove_from_index(const std::string& directory, const std::string& id) {
  ::unlink(in(directory.c_str(), id).c_str());
  ::rmdir(fmt::format("{}/{}", paths::kRun, directory).c_str());  // fails if others are in it
}

}  // namespace

std::optional<Session> living_of_id(const std::string& id) {
  Fd lock;
  const std::string path = in(kSessionsDir, id);
  if (!uuid::is_valid(id) || try_lock(path, O_RDONLY, lock) != Lock::held) return std::nullopt;
  return read_session(lock.get(), path);
}

namespace {

std::vector<Session> living_among(const std::vector<std::string>& ids) {
  std::vector<Session> sessions;
  for (const auto& id : ids) {
    if (auto session = living_of_id(id)) sessions.push_back(std::move(*session));
  }
  return sessions;
}

}  // namespace

void prepare() {
  make_directory(paths::kRun, 0755);
  for (const char* name : {kSessionsDir, kClientsDir, kRulesDir, kUsersDir, kChainsDir, kOffersDir, kCallers, kTurns,
                           kDialers, log_file::kShares})
    make_directory(name);
}

void make_directory(const std::string& name) { make_directory(fmt::format("{}/{}", paths::kRun, name), 0700); }

FirewallLock::FirewallLock() : FirewallLock([] { return false; }) {}

FirewallLock::FirewallLock(const std::function<bool()>& ended) {
  const std::string path = fmt::format("{}/lock", paths::kRun);
  lock_ = fd::open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!fd::lock_in_line_unless(ended, lock_.get(), path)) lock_.reset();
}

std::optional<Token> Token::take(const std::string& directory, const std::string& name) {
  const std::string path = in(directory.c_str(), name);
  Fd lock;
  if (try_lock(path, O_RDWR | O_CREAT, lock) != Lock::taken) return std::nullopt;
  // What is in it is of somebody who was killed.
  if (::ftruncate(lock.get(), 0) != 0) tool::fail_errno(tool::os, "take " + path);
  return Token(path, std::move(lock));
}

// The file is deleted while it is still locked, so that nobody loses a new one of that name.
void Token::drop() {
  if (lock_) ::unlink(path_.c_str());
  lock_.reset();
}

Token::~Token() { drop(); }

Token& Token::operator=(Token&& other) noexcept {
  if (this == &other) return *this;
  drop();
  path_ = std::move(other.path_);
  lock_ = std::move(other.lock_);
  return *this;
}

// One write, so that a reader sees all of it or nothing.
void Token::note(const std::string& text) {
  if (::pwrite(lock_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    tool::fail_errno(tool::os, "write " + path_);
}

bool is_held(const std::string& directory, const std::string& name) {
  const Fd file(::open(in(directory.c_str(), name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return file && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0;
}

std::optional<std::string> note(const std::string& directory, const std::string& name) {
  constexpr std::size_t kMaxNote = 4096;
  const Fd file(::open(in(directory.c_str(), name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return std::nullopt;
  // A token without a note may be about to be taken: our lock must not interfere.
  std::string text = io::read_all(file.get(), kMaxNote, name);
  if (text.empty() || ::flock(file.get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  return text;
}

std::vector<std::string> notes(const std::string& directory) {
  std::vector<std::string> found;
  for (const auto& name : names_in(directory)) {
    if (auto text = note(directory, name)) found.push_back(std::move(*text));
  }
  return found;
}

Entry::Entry(const Session& session)
    : id_(session.id), path_(in(kSessionsDir, session.id)), indexes_(indexes_of(session)) {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) == 0) {
    throw tool::Failure(tool::not_permitted, fmt::format("session {} exists already", session.id));
  }
  update(session);
  for (const auto& index : indexes_) add_to_index(index, id_);
}

void Entry::update(const Session& session) {
  const std::string fresh = temporary(session.id);
  Fd file = fd::open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) tool::fail_errno(tool::os, "lock " + fresh);
  try {
    io::write_all(file.get(), session.to_record().text(), fresh);
  } catch (const tool::Failure& failure) {  // 74 would be a client that went away
    throw tool::Failure(tool::os, failure.what());
  }
  if (::rename(fresh.c_str(), path_.c_str()) != 0) tool::fail_errno(tool::os, "rename " + fresh);
  lock_ = std::move(file);
}

void Entry::remove() {
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) tool::fail_errno(tool::os, "remove " + path_);
  for (const auto& index : indexes_) remove_from_index(index, id_);
  ::unlink(in(kOffersDir, id_).c_str());
  lock_.reset();
}

std::vector<Session> living() { return living_among(names_in(kSessionsDir)); }

std::vector<Session> living_of(const IpAddress& client) { return living_among(names_in(client_directory(client))); }

void note_offer(const std::string& id) { fd::open(in(kOffersDir, id), O_WRONLY | O_CREAT | O_NOFOLLOW, 0600); }
bool was_offered(const std::string& id) { return ::access(in(kOffersDir, id).c_str(), F_OK) == 0; }

std::size_t count() { return names_in(kSessionsDir).size(); }
std::size_t count_of_rule(int rule) { return names_in(rule_directory(rule)).size(); }
std::size_t count_of_user(const std::string& user) { return names_in(user_directory(user)).size(); }
std::size_t count_in_chain(const IpAddress& client) { return names_in(chain_directory(client)).size(); }

bool drained() { return has_mark(kDrain); }
void set_drained(bool on) { set_mark(kDrain, on); }

bool stopped() { return has_mark(kStopped); }
void set_stopped(bool on) { set_mark(kStopped, on); }

void check_admission() {
  if (stopped()) throw tool::Failure(tool::temporary, "stopped: no new sessions are taken until asperaproxy start");
  if (drained()) throw tool::Failure(tool::temporary, "drained: no new sessions are taken");
}

std::vector<Orphan> orphans() {
  std::vector<Orphan> found;
  for (const auto& name : names_in(kSessionsDir)) {
    const std::string path = in(kSessionsDir, name);
    Fd lock;
    if (try_lock(path, O_RDONLY, lock) != Lock::taken) continue;
    auto session = uuid::is_valid(name) ? read_session(lock.get(), path) : std::nullopt;
    if (session) found.push_back({std::move(*session), path, std::move(lock)});
    else ::unlink(path.c_str());
  }
  return found;
}

void remove(const Orphan& orphan) {
  ::unlink(orphan.path.c_str());
  for (const auto& index : indexes_of(orphan.session)) remove_from_index(index, orphan.session.id);
}

void sweep() {
  for (const char* kind : {kClientsDir, kRulesDir, kUsersDir, kChainsDir}) {
    for (const auto& name : names_in(kind)) {
      const std::string directory = fmt::format("{}/{}", kind, name);
      for (const auto& id : names_in(directory)) {
        if (::access(in(kSessionsDir, id).c_str(), F_OK) != 0) remove_from_index(directory, id);
      }
      ::rmdir(in(kind, name).c_str());
    }
  }
  for (const auto& id : names_in(kOffersDir)) {
    if (::access(in(kSessionsDir, id).c_str(), F_OK) != 0) ::unlink(in(kOffersDir, id).c_str());
  }
  for (const char* directory : {kCallers, kTurns, kDialers}) {
    for (const auto& name : names_in(directory)) Token::take(directory, name);
  }
}

}  // namespace session::spool
