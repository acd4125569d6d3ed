#include "progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/core.h>

#include "base/logging.h"

namespace asp_cp {
namespace {

using Clock = std::chrono::steady_clock;

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0 ? size.ws_col : 80;
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string clock(double seconds) {
  const auto whole = static_cast<unsigned long>(std::min(seconds, 359999.0));
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{:02}:{:02}", whole / 60, whole % 60);
}

}  // namespace

std::string amount(double bytes) {
  if (bytes < 1000) return fmt::format("{:.0f} B", bytes);
  const char* const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  std::size_t unit = 0;
  for (bytes /= 1000; bytes >= 999.95 && unit < 5; ++unit) bytes /= 1000;
  return fmt::format("{:.1f} {}", bytes, units[unit]);
}

std::string progress_line(const std::string& name, std::uint64_t done, std::uint64_t size, std::uint64_t fresh,
                          double seconds, std::size_t width) {
  const double rate = seconds > 0 ? static_cast<double>(fresh) / seconds : 0;
  const double percent = size == 0 ? 100 : 100.0 * static_cast<double>(done) / static_cast<double>(size);
  const bool last = done == size;
  std::string left = "--:--";
  if (last) left = clock(seconds);
  else if (rate > 0) left = clock(static_cast<double>(size - done) / rate);
  const std::string tail = fmt::format(" {:3.0f}% {:>9} {:>9}/s {:>7}{}", percent, amount(static_cast<double>(done)),
                                       amount(rate), left, last ? "    " : " ETA");
  width = std::max<std::size_t>(width, 40);
  const std::size_t room = width - std::min(tail.size(), width);
  return fmt::format("{:<{}}{}", logging::escape(name).substr(0, room), room, tail).substr(0, width);
}

Progress::Progress(std::string host, bool bar, bool verbose, Brought& brought)
    : host_(std::move(host)), bar_(bar), verbose_(verbose), brought_(brought) {}

void Progress::begin(const FileHead& head, std::uint64_t resumed) {
  name_ = head.path;
  size_ = head.size;
  done_ = resumed_ = resumed;
  began_ = Clock::now();
  shown_ = {};
  if (bar_) draw(false);
}

void Progress::advance(std::uint64_t bytes) {
  done_ += bytes;
  brought_.bytes += bytes;
  if (bar_ && Clock::now() - shown_ > std::chrono::milliseconds(200)) draw(false);
}

void Progress::draw(bool last) {
  shown_ = Clock::now();
  const std::string line =
      progress_line(name_, done_, size_, done_ - resumed_, seconds_since(began_), terminal_width() - 1);
  fmt::print(stderr, "\r{}{}", line, last ? "\n" : "");
  std::fflush(stderr);
  drawn_ = !last;
}

void Progress::leave_line() {
  if (drawn_) fmt::print(stderr, "\n");
  drawn_ = false;
}

void Progress::stored(const FileHead& head, const std::string& sha256) {
  brought_.add(head);
  if (bar_) draw(true);
  if (!verbose_) return;
  fmt::print(stderr, "{}: {} bytes, {} resumed, {:.2f} s, sha256 {}\n", logging::escape(head.path), head.size, resumed_,
             seconds_since(began_), sha256);
}

void Progress::trouble(const Complaint& complaint, bool here) {
  leave_line();
  fmt::print(stderr, "asp-cp: {}{}\n", here ? "" : logging::escape(host_) + ": ", logging::escape(complaint.reason));
  if (exit_code_ == tool::yes) exit_code_ = complaint.code;
}

}  // namespace asp_cp
