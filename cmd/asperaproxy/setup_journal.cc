#include "setup_journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/child.h"
#include "base/cut.h"
#include "base/decimal.h"
#include "base/env.h"
#include "base/failure.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/logging.h"
#include "base/whole_file.h"

namespace asperaproxy::setup {
namespace {

constexpr char kParent[] = "/var/lib/sallyport";
constexpr char kFolder[] = "/var/lib/sallyport/setup";
constexpr char kBackups[] = "/var/lib/sallyport/before-setup";
constexpr std::size_t kMost = 16 * 1024 * 1024;
constexpr int kUndoSeconds = 60;

std::string within(const std::string& name) { return fmt::format("{}/{}", kFolder, name); }
std::string before(const Kept& kept) { return within(fmt::format("{}.before", kept.number)); }
std::string after(const Kept& kept) { return within(fmt::format("{}.after", kept.number)); }
// Not beside the file: sshd, logrotate and others take each file of some folders for one of theirs.
std::string backup_of(const std::string& path) { return kBackups + path; }

void make(const char* folder) {
  if (::mkdir(folder, 0700) != 0 && errno != EEXIST) tool::fail_errno(tool::os, std::string("make ") + folder);
}

void remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) tool::fail_errno(tool::os, "remove " + path);
}

// The new file has the owner and the mode of the one that it is a copy of.
void copy(const std::string& from, const std::string& to) {
  const Fd file = fd::open(from, O_RDONLY | O_NOFOLLOW);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) tool::fail_errno(tool::os, "stat " + from);
  const std::string text = io::read_all(file.get(), kMost, from);
  whole_file::write(to, text, {.mode = status.st_mode & 07777, .group = status.st_gid, .durable = true});
}

void back_up(const std::string& path) {
  const std::string to = backup_of(path);
  if (!text_of(path) || text_of(to)) return;
  make(kBackups);
  std::filesystem::create_directories(std::filesystem::path(to).parent_path());
  copy(path, to);
}

void remove_backup(const std::string& path) {
  remove(backup_of(path));
  std::filesystem::path folder = std::filesystem::path(backup_of(path)).parent_path();
  for (; folder != kParent && ::rmdir(folder.c_str()) == 0; folder = folder.parent_path()) continue;
}

void copy_if_there(const std::string& from, const std::string& to) {
  if (text_of(from)) copy(from, to);
  else remove(to);
}

Record to_record(const Entry& entry) {
  Record record;
  record.add("step", entry.step);
  for (const auto& kept : entry.files) record.add("file", fmt::format("{} {}", kept.number, kept.path));
  for (const auto& argv : entry.undo) record.add("undo", fmt::format("{}", fmt::join(argv, " ")));
  return record;
}

Entry from_record(const Record& record) {
  record.check_names({"step"}, {"file", "undo"});
  Entry entry{record.require("step"), {}, {}};
  for (const auto& text : record.all("file")) {
    const auto space = text.find(' ');
    const auto number = parse_decimal(text.substr(0, space), 1, 1'000'000);
    if (!number || space == text.npos) throw tool::Failure(tool::bad_input, within("journal") + ": file=" + text);
    entry.files.push_back({static_cast<unsigned>(*number), text.substr(space + 1)});
  }
  for (const auto& text : record.all("undo")) {
    const auto words = cut::words(text);
    entry.undo.emplace_back(words.begin(), words.end());
  }
  return entry;
}

std::vector<Record> records_in(const std::string& path) {
  std::vector<Record> records;
  record::Parser parser;
  const std::string text = text_of(path).value_or("");
  for (const auto line : cut::lines(text)) {
    if (auto record = parser.add(line)) records.push_back(std::move(*record));
  }
  if (auto record = parser.finish()) records.push_back(std::move(*record));
  return records;
}

// Absent: it worked.
std::optional<std::string> complaint_of(const std::vector<std::string>& argv) {
  try {
    const auto done = child::run({argv, env::allow({"SUDO_USER", "SUDO_UID"}), {}}, "", kMost, kUndoSeconds);
    if (done.status == 0) return std::nullopt;
    const auto lines = cut::lines(done.err);
    return fmt::format("{}: {}", fmt::join(argv, " "), lines.empty() ? child::describe(done.status) : lines[0]);
  } catch (const tool::Failure& failure) {
    return failure.what();
  }
}

}  // namespace

Journal::Journal() {
  if (::access(kFolder, F_OK) != 0) return;
  own();
  for (const auto& record : records_in(within("answers"))) answers_ = Answers::from_record(record);
  for (const auto& record : records_in(within("journal"))) entries_.push_back(from_record(record));
}

void Journal::own() {
  if (lock_) return;
  make(kParent);
  make(kFolder);
  lock_ = fd::open(kFolder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  fd::lock(lock_.get(), kFolder, Deadline::in(std::chrono::seconds(1)));
}

void Journal::remember(const Answers& answers) {
  own();
  if (answers == answers_) return;
  answers_ = answers;
  whole_file::write(within("answers"), answers.to_record().text(), {.durable = true});
}

void Journal::save() const {
  std::string text;
  for (const auto& entry : entries_) text += to_record(entry).text();
  whole_file::write(within("journal"), text, {.durable = true});
}

void Journal::begin(const std::string& step, const std::vector<std::string>& files,
                    const std::vector<std::vector<std::string>>& undo) {
  unsigned number = 0;
  for (const auto& entry : entries_) {
    for (const auto& kept : entry.files) number = std::max(number, kept.number);
  }
  Entry entry{step, {}, undo};
  for (const auto& path : files) {
    const Kept kept{++number, path};
    copy_if_there(path, before(kept));
    remove(after(kept));
    back_up(path);
    entry.files.push_back(kept);
  }
  entries_.push_back(std::move(entry));
  save();
}

void Journal::written(const std::string& path) {
  for (const auto& kept : entries_.back().files) {
    if (kept.path == path) copy_if_there(path, after(kept));
  }
}

void Journal::finish() {
  for (const auto& kept : entries_.back().files) copy_if_there(kept.path, after(kept));
}

std::optional<std::string> Journal::restore(const Kept& kept) const {
  const Text wrote = text_of(after(kept));
  if (wrote && text_of(kept.path) != wrote)
    return fmt::format("{} has been changed since, and is left as it is{}", kept.path,
                       text_of(backup_of(kept.path)) ? "; as it was before: " + backup_of(kept.path) : "");
  if (text_of(before(kept))) copy(before(kept), kept.path);
  else remove(kept.path);
  const bool older = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return std::any_of(entry.files.begin(), entry.files.end(),
                       [&](const Kept& other) { return other.path == kept.path && other.number < kept.number; });
  });
  if (!older) remove_backup(kept.path);
  return std::nullopt;
}

std::vector<std::string> Journal::take_back() {
  const Entry entry = entries_.back();
  std::vector<std::string> complaints;
  for (auto kept = entry.files.rbegin(); kept != entry.files.rend(); ++kept) {
    if (auto complaint = restore(*kept)) complaints.push_back(std::move(*complaint));
  }
  for (const auto& argv : entry.undo) {
    if (auto complaint = complaint_of(argv)) complaints.push_back(std::move(*complaint));
  }
  entries_.pop_back();
  save();
  for (const auto& kept : entry.files) {
    remove(before(kept));
    remove(after(kept));
  }
  return complaints;
}

bool Journal::wrote(const std::string& path) const {
  const Text now = text_of(path);
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return std::any_of(entry.files.begin(), entry.files.end(),
                       [&](const Kept& kept) { return kept.path == path && now && text_of(after(kept)) == now; });
  });
}

Text Journal::original(const std::string& path) const {
  Text text = text_of(path);
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    for (const auto& kept : entry->files) {
      if (kept.path == path && text && text_of(after(kept)) == text) text = text_of(before(kept));
    }
  }
  return text;
}

void Journal::forget() {
  for (const char* name : {"answers", "journal"}) remove(within(name));
  ::rmdir(kFolder);
}

}  // namespace asperaproxy::setup
