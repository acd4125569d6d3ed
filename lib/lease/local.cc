#include "lease/local.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/paths.h"
#include "base/uuid.h"
#include "session/spool.h"

namespace lease::local {
namespace {

constexpr char kRecords[] = "leases";
constexpr char kOwners[] = "lease_owners";
constexpr char kPorts[] = "lease_ports";
constexpr char kNextPort[] = "next";

std::string in(const std::string& directory, const std::string& name) {
  return fmt::format("{}/{}/{}", paths::kRun, directory, name);
}
std::string path_of(const std::string& id) { return in(kRecords, id); }
// A temporary name starts with a dot; records do not.
std::string temporary(const std::string& id) { return in(kRecords, "." + id); }
std::string owner_directory(const std::string& owner) { return fmt::format("{}/{}", kOwners, owner); }
std::string port_path(Port port) { return in(kPorts, std::to_string(port)); }

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) tool::fail_errno(tool::os, "remove " + path);
}

// A link is made as a whole, and only where there is none.
bool make_link(const std::string& target, const std::string& path) {
  if (::symlink(target.c_str(), path.c_str()) == 0) return true;
  if (errno == EEXIST) return false;
  tool::fail_errno(tool::os, "link " + path);
}

std::string read_link(const std::string& path) {
  char target[64];
  const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
  return length > 0 ? std::string(target, static_cast<std::size_t>(length)) : std::string();
}

std::optional<Lease> read(const std::string& id) {
  const std::string path = path_of(id);
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) tool::fail_errno(tool::os, "open " + path);
  try {
    return Lease::from_record(record::parse_one(io::read_all(file.get(), Record::kMaxBytes, path)));
  } catch (const tool::Failure& failure) {
    logging::error("Unreadable lease record {}: {}", path, logging::escape(failure.what()));
    return std::nullopt;
  }
}

std::vector<Lease> read_all(const std::vector<std::string>& names) {
  std::vector<Lease> leases;
  for (const auto& name : names) {
    if (!uuid::is_valid(name)) continue;
    if (auto lease = read(name)) leases.push_back(std::move(*lease));
  }
  return leases;
}

class Directories : public Spool {
 public:
  Directories() {
    for (const char* directory : {kRecords, kOwners, kPorts}) session::spool::make_directory(directory);
  }

  std::optional<Port> take_ports(const std::string& id, const PortRange& range, int count,
                                 const Usable& usable) override {
    const int places = range.high - range.low + 1 - (count - 1);
    if (places <= 0) return std::nullopt;
    const int begin = first_to_try(range, places);
    for (int i = 0; i < places; ++i) {
      const auto first = static_cast<Port>(range.low + (begin + i) % places);
      if (::access(in(kPorts, std::to_string(first)).c_str(), F_OK) == 0) continue;
      if (!take_run(id, first, count)) continue;
      if (usable(first)) {
        set_next(first + count);
        return first;
      }
      give_back(id, first, count);
    }
    return std::nullopt;
  }

  void give_back(const std::string& id, Port first, int count) override {
    for (int i = 0; i < count; ++i) {
      const std::string path = port_path(static_cast<Port>(first + i));
      if (read_link(path) == id) remove_file(path);
    }
  }

  bool adopt(const Lease& lease) override {
    if (!take_run(lease.id, lease.ssh_port, lease.ports())) return false;
    put(lease);
    return true;
  }

  // The indexes are written first: a record always has them.
  void put(const Lease& lease) override {
    add_to_owner(lease);
    const std::string fresh = temporary(lease.id);
    const Fd file = fd::open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    io::write_all(file.get(), lease.to_record().text());
    const timespec deadline{lease.ending ? 0 : lease.deadline.count(), 0};
    const timespec times[] = {deadline, deadline};
    if (::futimens(file.get(), times) != 0) tool::fail_errno(tool::os, "date " + fresh);
    if (::rename(fresh.c_str(), path_of(lease.id).c_str()) != 0) tool::fail_errno(tool::os, "rename " + fresh);
  }

  std::optional<Lease> get(const std::string& id) override { return uuid::is_valid(id) ? read(id) : std::nullopt; }

  void remove(const Lease& lease, End) override {
    remove_file(path_of(lease.id));
    remove_from_owner(lease.owner(), lease.id);
    give_back(lease.id, lease.ssh_port, lease.ports());
  }

  std::vector<Lease> of(const std::string& owner) override {
    return read_all(session::spool::names_in(owner_directory(owner)));
  }
  std::size_t count_of(const std::string& owner) override {
    return session::spool::names_in(owner_directory(owner)).size();
  }

  std::vector<Lease> all() override { return read_all(session::spool::names_in(kRecords)); }
  std::size_t count() override { return session::spool::names_in(kRecords).size(); }

  std::vector<Lease> due(std::chrono::seconds now) override {
    auto names = session::spool::names_in(kRecords);
    std::erase_if(names, [&](const std::string& name) {
      struct stat status {};
      return ::lstat(path_of(name).c_str(), &status) != 0 || status.st_mtime > now.count();
    });
    return read_all(names);
  }

  void tidy() override {
    for (const auto& name : session::spool::names_in(kRecords)) {
      if (!uuid::is_valid(name) || !read(name)) remove_file(path_of(name));
    }
    const auto gone = [](const std::string& id) { return ::access(path_of(id).c_str(), F_OK) != 0; };
    for (const auto& owner : session::spool::names_in(kOwners)) {
      for (const auto& id : session::spool::names_in(owner_directory(owner))) {
        if (gone(id)) remove_from_owner(owner, id);
      }
      ::rmdir(in(kOwners, owner).c_str());  // fails if there are leases in it
    }
    for (const auto& port : session::spool::names_in(kPorts)) {
      if (port != kNextPort && gone(read_link(in(kPorts, port)))) remove_file(in(kPorts, port));
    }
  }

 private:
  static int first_to_try(const PortRange& range, int places) {
    const auto next = parse_port(read_link(in(kPorts, kNextPort)));
    return next && *next >= range.low && *next < range.low + places ? *next - range.low : 0;
  }

  static void set_next(int port) {
    const std::string fresh = in(kPorts, ".next");
    remove_file(fresh);
    make_link(std::to_string(port), fresh);
    if (::rename(fresh.c_str(), in(kPorts, kNextPort).c_str()) != 0) tool::fail_errno(tool::os, "rename " + fresh);
  }

  bool take_run(const std::string& id, Port first, int count) {
    for (int i = 0; i < count; ++i) {
      if (make_link(id, port_path(static_cast<Port>(first + i)))) continue;
      give_back(id, first, i);
      return false;
    }
    return true;
  }

  static void add_to_owner(const Lease& lease) {
    const std::string directory = owner_directory(lease.owner());
    const std::string marker = in(directory, lease.id);
    if (::access(marker.c_str(), F_OK) == 0) return;
    session::spool::make_directory(directory);
    fd::open(marker, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
  }

  static void remove_from_owner(const std::string& owner, const std::string& id) {
    remove_file(in(owner_directory(owner), id));
    ::rmdir(in(kOwners, owner).c_str());  // fails if others are in it
  }
};

}  // namespace

std::unique_ptr<Spool> open() { return std::make_unique<Directories>(); }

std::size_t count() { return session::spool::names_in(kRecords).size(); }

}  // namespace lease::local
