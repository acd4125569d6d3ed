#include "base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/types.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>

#include <fmt/core.h>

#include "base/cut.h"
#include "base/decimal.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/pidfd.h"

namespace process {
namespace {

template <typename Number>
bool read_number(std::string_view text, Number& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc{} && end == text.data() + text.size();
}

// Field 2, the command's name, is in parentheses and may itself contain anything, so the fields are
// counted from the last ")".
bool read_stat(std::string_view stat, Process& into) {
  constexpr std::size_t kState = 0;  // of those behind the name; proc(5) numbers them from 3
  constexpr std::size_t kParent = 1;
  constexpr std::size_t kStarted = 19;
  const auto name = stat.find(" (");
  const auto name_end = stat.rfind(')');
  if (name == stat.npos || name_end == stat.npos || name_end < name) return false;
  const auto fields = cut::words(stat.substr(name_end + 1));
  if (fields.size() <= kStarted || fields[kState].size() != 1) return false;
  into.state = fields[kState][0];
  return read_number(stat.substr(0, name), into.pid) && into.pid > 0 && read_number(fields[kParent], into.parent) &&
         into.parent >= 0 && read_number(fields[kStarted], into.started);
}

bool read_uids(std::string_view status, Process& into) {
  constexpr std::string_view kLine = "\nUid:\t";
  const auto start = status.find(kLine);
  if (start == status.npos) return false;
  const auto rest = status.substr(start + kLine.size());
  const auto uids = cut::words(rest.substr(0, rest.find('\n')));
  if (uids.size() != into.uids.size()) return false;
  return std::equal(uids.begin(), uids.end(), into.uids.begin(),
                    [](std::string_view text, uid_t& uid) { return read_number(text, uid); });
}

// Empty when the process has ended.
std::string read(pid_t pid, const char* name) {
  constexpr std::size_t kMaxText = 64 * 1024;
  const Fd file(::open(fmt::format("/proc/{}/{}", pid, name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  try {
    return io::read_all(file.get(), kMaxText, name);
  } catch (const tool::Failure&) {  // ESRCH: it ended in between
    return {};
  }
}

}  // namespace

bool Process::is_of(uid_t uid) const { return std::find(uids.begin(), uids.end(), uid) != uids.end(); }

std::string Process::token() const { return fmt::format("{}.{}", pid, started); }

std::optional<Process> parse(std::string_view stat, std::string_view status) {
  Process process;
  if (!read_stat(stat, process) || !read_uids(status, process)) return std::nullopt;
  return process;
}

std::optional<Process> find(pid_t pid) {
  const std::string stat = read(pid, "stat");
  const std::string status = read(pid, "status");
  if (stat.empty() || status.empty()) return std::nullopt;
  auto process = parse(stat, status);
  if (!process) throw tool::Failure(tool::os, fmt::format("/proc/{}: not understood", pid));
  return process;
}

Process of(pid_t pid) {
  const auto process = find(pid);
  if (!process) throw tool::Failure(tool::os, fmt::format("process {}: it has ended", pid));
  return *process;
}

Fd hold(const Process& process) {
  Fd held = pidfd::find(process.pid);
  const auto now = find(process.pid);
  return now && now->started == process.started ? std::move(held) : Fd();
}

std::vector<pid_t> all() {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir("/proc"), ::closedir);
  if (!entries) tool::fail_errno(tool::os, "open /proc");
  std::vector<pid_t> found;
  while (const dirent* entry = ::readdir(entries.get())) {
    if (const auto pid = parse_decimal(entry->d_name, 1, std::numeric_limits<pid_t>::max()))
      found.push_back(static_cast<pid_t>(*pid));
  }
  return found;
}

}  // namespace process
