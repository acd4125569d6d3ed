#include "session/ending.h"

#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>

#include <fmt/core.h>

#include "base/deadline.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/pidfd.h"
#include "base/process.h"
#include "session/spool.h"

namespace session::ending {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 5s;
constexpr auto kPatienceEach = 100ms;
constexpr auto kPause = 10ms;

std::string record_path(const Session& session) { return fmt::format("{}/{}", paths::kSessions, session.id); }

bool is_gone(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) != 0 && errno == ENOENT;
}

// True if descriptor `name` in /proc/PID/fd is `record`, and the lock on it is held through this very
// descriptor (proc(5), fdinfo).
bool holds_lock(const std::string& process, const std::string& name, const struct stat& record) {
  struct stat status {};
  if (::stat(fmt::format("{}/fd/{}", process, name).c_str(), &status) != 0) return false;
  if (status.st_dev != record.st_dev || status.st_ino != record.st_ino) return false;
  const Fd details(::open(fmt::format("{}/fdinfo/{}", process, name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!details) return false;
  constexpr std::size_t kMaxDetails = 64 * 1024;
  const std::string text = io::read_all(details.get(), kMaxDetails, "fdinfo");
  return text.find("FLOCK") != text.npos && text.find("WRITE") != text.npos;
}

// True if process `pid` holds the lock on the record that is at `path` now.
bool is_holder(pid_t pid, const std::string& path) {
  const std::string process = fmt::format("/proc/{}", pid);
  // A holder that updates its record renames a new one over it.
  for (int attempt = 0; attempt < 10; ++attempt) {
    struct stat record {};
    if (::lstat(path.c_str(), &record) != 0) return false;
    const std::unique_ptr<DIR, int (*)(DIR*)> fds(::opendir((process + "/fd").c_str()), ::closedir);
    if (!fds) return false;
    while (const dirent* entry = ::readdir(fds.get())) {
      if (holds_lock(process, entry->d_name, record)) return true;
    }
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

// One session that is being ended.
struct Ending {
  const Session* session;
  std::string path;
  Fd control;    // the session process that sshd started; empty: it is not waited for
  bool is_ours;  // that process has this session's pinhole, and no later one has its number

  bool over() const { return is_gone(path) && (!control || pidfd::ended(control)); }
};

// Tells the session to end. Returns an empty text, or the reason why that is not possible; a session
// that has ended by itself counts as told.
//
// The number in the record may belong to another process by now. So the pidfd is opened first, then it
// is checked that the number holds the lock, then that the pidfd's process is still alive; if so, it
// was the same process all the time.
std::string tell(const Session& session, const std::string& path, const Invoker& by) {
  const Fd holder = pidfd::find(session.holder);
  const bool verified = holder && is_holder(session.holder, path) && !pidfd::ended(holder);
  if (!verified) {
    if (is_gone(path)) return {};
    return fmt::format("process {} does not hold its record", session.holder);
  }
  if (!pidfd::signal(holder, SIGTERM) && errno != ESRCH) {
    return fmt::format("signal process {}: {}", session.holder, std::strerror(errno));
  }
  logging::event("Killed session={} user={} rule={} client={} server={} by={} uid={}", session.id,
                 logging::field(session.user), session.route.rule, session.client.text(), session.host.text(),
                 logging::told(by.name), by.uid);
  return {};
}

std::string name_of(uid_t uid) {
  const passwd* entry = ::getpwuid(uid);
  return entry ? entry->pw_name : std::to_string(uid);
}

template <typename Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The user id of the login that this process descends from. The kernel keeps it through su and sudo
// (credentials(7), /proc/PID/loginuid).
std::optional<uid_t> login_uid() {
  constexpr uid_t kUnset = ~uid_t{0};
  const Fd file(::open("/proc/self/loginuid", O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string text = io::read_all(file.get(), 64, "loginuid");
  if (text.ends_with('\n')) text.pop_back();
  const auto uid = number<uid_t>(text);
  return uid == kUnset ? std::nullopt : uid;
}

}  // namespace

Invoker invoker() {
  const auto sudo_user = env::get("SUDO_USER");
  const auto sudo_uid = number<uid_t>(env::get("SUDO_UID").value_or(""));
  if (sudo_user && sudo_uid) return {*sudo_user, *sudo_uid};
  const uid_t uid = login_uid().value_or(::getuid());
  return {name_of(uid), uid};
}

Outcome end(const std::vector<Session>& doomed, const Invoker& by) {
  Outcome outcome;
  std::vector<Ending> endings;
  for (const auto& session : doomed) {
    Ending ending{&session, record_path(session), {}, false};
    if (!session.lingering) {
      ending.control = pidfd::find(session.pid);
      const auto process = ending.control ? process::find(session.pid) : std::nullopt;
      ending.is_ours = process && session::spool::is_held(session::spool::kCallers, process->token());
    }
    if (const auto why = tell(session, ending.path, by); why.empty()) endings.push_back(std::move(ending));
    else outcome.remain.push_back(fmt::format("session {}: {}", session.id, why));
  }
  const auto deadline = Deadline::in(kPatience + kPatienceEach * endings.size());
  const auto last_word = Deadline::in((kPatience + kPatienceEach * endings.size()) / 2);
  for (;;) {
    // It may be stopped, by its user: then it would go on with the connection to the server.
    if (last_word.over()) {
      for (const auto& ending : endings) {
        if (ending.is_ours && is_gone(ending.path)) pidfd::signal(ending.control, SIGKILL);
      }
    }
    std::erase_if(endings, [&](const Ending& ending) {
      if (!ending.over()) return false;
      outcome.ended.push_back(*ending.session);
      return true;
    });
    if (endings.empty() || deadline.over()) break;
    std::this_thread::sleep_for(kPause);
  }
  for (const auto& ending : endings) {
    outcome.remain.push_back(fmt::format("session {}: {} after being told to end", ending.session->id,
                                         is_gone(ending.path)
                                             ? fmt::format("its process {} goes on", ending.session->pid)
                                             : std::string("its record is still there")));
  }
  return outcome;
}

}  // namespace session::ending
