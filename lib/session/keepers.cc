#include "session/keepers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <vector>

#include <fmt/core.h>

#include "base/boot_clock.h"
#include "base/decimal.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/paths.h"
#include "base/pidfd.h"
#include "base/process.h"
#include "base/record.h"
#include "base/unix_socket.h"
#include "base/uuid.h"

namespace session::keepers {

Note Note::parse(std::string_view text) {
  const auto records = record::parse_all(text);
  if (records.size() != 2) throw tool::Failure(tool::bad_input, "keeper: expected its note and its terms");
  const auto number = [&](std::string_view name, long low, long high) {
    const auto value = parse_decimal(records[0].require(name), low, high);
    if (!value) throw tool::Failure(tool::bad_input, fmt::format("keeper: {}: not valid", name));
    return *value;
  };
  records[0].check_names({"pid", "started", "since"});
  constexpr long kMost = std::numeric_limits<long>::max();
  return {static_cast<pid_t>(number("pid", 2, std::numeric_limits<pid_t>::max())),
          static_cast<unsigned long long>(number("started", 0, kMost)), number("since", 0, kMost), records[1].text()};
}

std::string Note::text() const {
  Record note;
  note.add("pid", std::to_string(pid));
  note.add("started", std::to_string(started));
  note.add("since", std::to_string(since));
  return note.text() + terms;
}

namespace {

constexpr char kDirectory[] = "keepers";
constexpr time_t kStaleSeconds = 60;

std::string directory_of(const std::string& user, int rule) { return fmt::format("{}/{}.{}", kDirectory, user, rule); }
std::string in(const std::string& directory, const std::string& name) {
  return fmt::format("{}/{}/{}", paths::kRun, directory, name);
}
std::string socket_path(const std::string& directory, const std::string& id) { return in(directory, id + ".socket"); }

Fd stream_socket() {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) tool::fail_errno(tool::os, "socket");
  return socket;
}

// The name of a socket has 107 bytes, and that of a user may have more.
struct ShortPath {
  explicit ShortPath(const std::string& path)
      : folder(fd::open(path.substr(0, path.rfind('/')), O_PATH | O_DIRECTORY)),
        text(fmt::format("/proc/self/fd/{}{}", folder.get(), path.substr(path.rfind('/')))) {}
  Fd folder;
  std::string text;
};

void remove_files(const std::string& directory, const std::string& id) {
  for (const auto& name : {id, id + ".address", id + ".socket", "." + id}) ::unlink(in(directory, name).c_str());
}

// Absent: it is gone, or not readable.
std::optional<Note> read_note(const std::string& directory, const std::string& id) {
  const Fd file(::open(in(directory, id).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return std::nullopt;
  try {
    return Note::parse(io::read_all(file.get(), 2 * Record::kMaxBytes, id));
  } catch (const tool::Failure&) {
    return std::nullopt;
  }
}

// Empty: there is none, since the session that made the connection did not get so far.
std::string read_address(const std::string& directory, const std::string& id) {
  constexpr std::size_t kMaxAddress = 64;
  const Fd file(::open(in(directory, id + ".address").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return file ? io::read_all(file.get(), kMaxAddress, id) : std::string();
}

// The ids of keepers in the directory; other names are skipped.
std::vector<std::string> ids_in(const std::string& directory) {
  auto names = session::spool::names_in(directory);
  std::erase_if(names, [](const std::string& name) { return !uuid::is_valid(name); });
  return names;
}

// Counts living keepers, including those that are not ready yet.
std::size_t count_in(const std::string& directory) {
  const auto names = session::spool::names_in(directory);
  return static_cast<std::size_t>(std::count_if(names.begin(), names.end(), [&](const std::string& name) {
    return uuid::is_valid(name.substr(name.starts_with('.') ? 1 : 0)) && session::spool::is_held(directory, name);
  }));
}

std::vector<std::string> directories() {
  std::vector<std::string> found;
  for (const auto& name : session::spool::names_in(kDirectory)) found.push_back(fmt::format("{}/{}", kDirectory, name));
  return found;
}

// The lock alone does not say that the number is still the keeper's: whoever got its descriptors may
// hold it, too.
bool kill_if_alive(const std::string& directory, const std::string& id) {
  const auto note = read_note(directory, id);
  if (!note) return false;
  const Fd process = pidfd::find(note->pid);
  const auto now = process::find(note->pid);
  return process && now && now->started == note->started && pidfd::signal(process, SIGKILL);
}

std::size_t end_in(const std::string& directory) {
  std::size_t ended = 0;
  for (const auto& id : ids_in(directory)) {
    if (kill_if_alive(directory, id)) ++ended;
    remove_files(directory, id);
  }
  return ended;
}

Fd connect_to(const std::string& path) {
  Fd socket = stream_socket();
  sockaddr_un address{};
  const ShortPath place(path);
  const socklen_t size = unix_socket::name_of(place.text, address);
  // A full queue means that the keeper does not answer.
  fd::set_nonblocking(socket.get());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return Fd();
  return socket;
}

}  // namespace

void prepare() { session::spool::make_directory(kDirectory); }

std::string identity_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return "-";
  return fmt::format("{}.{}.{}.{:09}.{}.{:09}.{}", status.st_dev, status.st_ino, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec, status.st_size);
}

std::string identity_of(const std::string& path) {
  const Fd file(::open(path.c_str(), O_PATH | O_CLOEXEC));
  return file ? identity_of(file.get()) : "-";
}

std::optional<Hold> take(const Terms& terms) {
  const std::string directory = directory_of(terms.user, terms.rule);
  for (const auto& id : ids_in(directory)) {
    if (!session::spool::is_held(directory, id)) {
      remove_files(directory, id);
      continue;
    }
    const auto note = read_note(directory, id);
    if (!note || note->terms != terms.text || boot_clock::seconds().count() - note->since > kLongestUse.count())
      continue;
    auto session = session::spool::Token::take(directory, id + ".session");
    if (!session) continue;
    std::string address = read_address(directory, id);
    Fd socket = address.empty() ? Fd() : connect_to(socket_path(directory, id));
    if (socket) return Hold{directory, id, std::move(socket), std::move(*session), std::move(address)};
    remove_files(directory, id);
  }
  return std::nullopt;
}

void note_address(const Hold& hold, const std::string& address) {
  io::write_all(
      fd::open(in(hold.directory, hold.id + ".address"), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600).get(),
      address);
}

void discard(const Hold& hold) { remove_files(hold.directory, hold.id); }

std::optional<Place> Place::make(const Terms& terms) {
  Place place;
  place.terms_ = terms;
  place.directory_ = directory_of(terms.user, terms.rule);
  place.id_ = uuid::random();
  session::spool::make_directory(place.directory_);
  const std::string fresh = in(place.directory_, "." + place.id_);
  fd::open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  // The keeper gets a read-only descriptor of the record.
  place.lock_ = fd::open(fresh, O_RDONLY | O_NOFOLLOW);
  if (::flock(place.lock_.get(), LOCK_EX | LOCK_NB) != 0) tool::fail_errno(tool::os, "lock " + fresh);
  // The count includes ours, so that of several at the same time none counts too few.
  if (count_in(place.directory_) > kMaxPerRule) return std::nullopt;
  place.listener_ = stream_socket();
  sockaddr_un address{};
  const ShortPath path(socket_path(place.directory_, place.id_));
  const socklen_t size = unix_socket::name_of(path.text, address);
  if (::bind(place.listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(place.listener_.get(), 4) != 0) {
    tool::fail_errno(tool::os, "listen for sessions");
  }
  return place;
}

Place::~Place() {
  if (lock_) remove_files(directory_, id_);
}

Hold Place::open(pid_t pid) {
  auto session = session::spool::Token::take(directory_, id_ + ".session");
  Fd socket = connect_to(socket_path(directory_, id_));
  if (!session || !socket) throw tool::Failure(tool::os, "the new keeper cannot be reached");
  const Note note{pid, process::of(pid).started, boot_clock::seconds().count(), terms_.text};
  const std::string fresh = in(directory_, "." + id_);
  io::write_all(fd::open(fresh, O_WRONLY | O_NOFOLLOW).get(), note.text());
  if (::rename(fresh.c_str(), in(directory_, id_).c_str()) != 0) tool::fail_errno(tool::os, "rename " + fresh);
  lock_.reset();
  return Hold{directory_, id_, std::move(socket), std::move(*session), ""};
}

std::size_t end_all() {
  std::size_t ended = 0;
  for (const auto& directory : directories()) ended += end_in(directory);
  return ended;
}

// The length of USER in USER.RULE: a name may have dots, a rule has none.
std::size_t end_of(const std::string& user) {
  std::size_t ended = 0;
  for (const auto& directory : directories()) {
    const std::string owner = directory.substr(std::strlen(kDirectory) + 1);
    if (owner.substr(0, owner.rfind('.')) == user) ended += end_in(directory);
  }
  return ended;
}

void sweep() {
  for (const auto& directory : directories()) {
    for (const auto& name : session::spool::names_in(directory)) {
      const std::string id = name.substr(name.starts_with('.') ? 1 : 0, 36);
      if (name.ends_with(".session")) session::spool::Token::take(directory, name);
      if (session::spool::is_held(directory, id) || session::spool::is_held(directory, "." + id)) continue;
      struct stat status {};
      const bool fresh = ::lstat(in(directory, name).c_str(), &status) == 0 &&
                         std::abs(::time(nullptr) - status.st_mtime) < kStaleSeconds;
      // A keeper that is being made has no lock for a moment.
      if (!uuid::is_valid(name) && !name.ends_with(".address") && fresh) continue;
      ::unlink(in(directory, name).c_str());
    }
    ::rmdir(fmt::format("{}/{}", paths::kRun, directory).c_str());
  }
}

}  // namespace session::keepers
