#include "balance/marks.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>

#include <fmt/core.h>

#include "base/decimal.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/paths.h"
#include "session/spool.h"

namespace balance {
namespace {

std::string path_in(const char* directory, const std::string& name) {
  return fmt::format("{}/{}/{}", paths::kRun, directory, name);
}
std::string path_of(const std::string& name) { return path_in(kMarks, name); }

std::optional<State> state_of(const std::string& name) {
  for (const auto state : {State::faulty, State::suspect, State::maintenance, State::refused}) {
    if (name == name_of(state)) return state;
  }
  return std::nullopt;
}

}  // namespace

void prepare_marks() {
  for (const char* name : {"balance", kMarks, kHealed}) session::spool::make_directory(name);
}

MarksLock::MarksLock() {
  const std::string path = path_in("balance", "lock");
  lock_ = fd::open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  fd::lock(lock_.get(), path);
}

std::string digest(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const unsigned char byte : text) hash = (hash ^ byte) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

std::string file_name(const std::string& text) {
  constexpr std::size_t kMaxFileName = 200;
  const bool usable = text.size() <= kMaxFileName && text.find('/') == text.npos && !text.starts_with('.');
  return usable ? text : digest(text);
}

std::string account_name(const HostPort& host, const std::string& user, const std::string& keyfile) {
  return file_name(fmt::format("{}@{}-{}", user, host.text(), digest(keyfile)));
}

std::string mark_name(State state, const HostPort& host, const std::string& user, const std::string& keyfile) {
  return fmt::format("{}-{}", name_of(state),
                     user.empty() ? file_name(host.text()) : account_name(host, user, keyfile));
}

std::string mark_name(const Mark& mark) { return mark_name(mark.state, mark.host, mark.user, mark.keyfile); }

Record to_record(const Mark& mark) {
  Record record;
  record.add("host", mark.host.text());
  if (!mark.user.empty()) {
    record.add("user", mark.user);
    record.add("keyfile", mark.keyfile);
  }
  record.add("state", name_of(mark.state));
  record.add("since", mark.since);
  record.add("until", std::to_string(mark.until.count()));
  record.add("reason", mark.reason);
  record.add("by", mark.by);
  if (mark.failures != 0) record.add("failures", std::to_string(mark.failures));
  return record;
}

Mark from_record(const Record& record) {
  const auto host = HostPort::parse(record.require("host"));
  const auto state = state_of(record.require("state"));
  const auto until = parse_decimal(record.require("until"), 0, std::numeric_limits<int>::max());
  const auto failures = parse_decimal(record.get("failures").value_or("0"), 0, std::numeric_limits<int>::max());
  if (!host || !state || !until || !failures)
    throw tool::Failure(tool::bad_input, "host, state, until or failures is not valid");
  return {*host,
          record.get("user").value_or(""),
          record.get("keyfile").value_or(""),
          *state,
          record.require("since"),
          std::chrono::seconds(*until),
          record.require("reason"),
          record.require("by"),
          static_cast<unsigned long>(*failures)};
}

std::optional<Mark> read_mark(const std::string& name) {
  const std::string path = path_of(name);
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file && errno == ENOENT) return std::nullopt;
  try {
    if (!file) tool::fail_errno(tool::os, "open");
    return from_record(record::parse_one(io::read_all(file.get(), Record::kMaxBytes, name)));
  } catch (const tool::Failure& failure) {
    logging::error("Removed the unreadable mark {}: {}", logging::escape(path), logging::escape(failure.what()));
    ::unlink(path.c_str());
    return std::nullopt;
  }
}

void write_mark(const Mark& mark) {
  const std::string name = mark_name(mark);
  const std::string fresh = path_of(fmt::format(".{}.{}", digest(name), ::getpid()));
  {
    const Fd file = fd::open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    io::write_all(file.get(), to_record(mark).text());
  }
  if (::rename(fresh.c_str(), path_of(name).c_str()) != 0) tool::fail_errno(tool::os, "rename " + fresh);
}

bool remove_mark(const std::string& name) { return ::unlink(path_of(name).c_str()) == 0; }

std::string read_healed(const std::string& name) {
  char id[64];
  const Fd file(::open(path_in(kHealed, name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  const ssize_t length = file ? ::read(file.get(), id, sizeof id) : 0;
  return {id, static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
}

void write_healed(const std::string& name, const std::string& id) {
  const Fd file = fd::open(path_in(kHealed, name), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  io::write_all(file.get(), id);
}

void remove_healed(const std::string& name) { ::unlink(path_in(kHealed, name).c_str()); }

std::vector<Mark> all_marks() {
  auto names = session::spool::names_in(kMarks);
  std::sort(names.begin(), names.end());
  std::vector<Mark> found;
  for (const auto& name : names) {
    if (name.starts_with('.')) continue;
    if (auto mark = read_mark(name)) found.push_back(std::move(*mark));
  }
  return found;
}

}  // namespace balance
