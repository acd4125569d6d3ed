#include "watch.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <string>

#include <fmt/core.h>

#include "base/await.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/signals.h"
#include "base/wall_clock.h"
#include "forms.h"
#include "session/spool.h"

namespace sessions {
namespace {

std::string title(const std::vector<Row>& rows, std::chrono::milliseconds interval) {
  Rate total;
  for (const auto& row : rows) {
    if (!row.rate) continue;
    total.to_server += row.rate->to_server;
    total.to_client += row.rate->to_client;
  }
  return fmt::format("{}, every {} s: {} session{}, up {}, down {}{}", wall_clock::now(),
                     static_cast<double>(interval.count()) / 1000, rows.size(), rows.size() == 1 ? "" : "s",
                     human_rate(total.to_server), human_rate(total.to_client),
                     session::spool::drained() ? ", drained" : "");
}

// Moves the cursor home, clears each line to its end, and then the rest of the screen, so that it does
// not flicker.
std::string over_the_last(std::vector<std::string> lines, bool first) {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 3 || size.ws_col == 0) size = {24, 80, 0, 0};
  if (lines.size() > size.ws_row) {
    const std::size_t hidden = lines.size() - size.ws_row + 1;
    lines.resize(size.ws_row - 1U);
    lines.push_back(fmt::format("... and {} more", hidden));
  }
  std::string text = first ? "\033[2J\033[H" : "\033[H";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) text += "\r\n";
    text += lines[i].substr(0, size.ws_col) + "\033[K";
  }
  return text + "\033[J";
}

std::string below_the_last(const std::vector<std::string>& lines, bool first) {
  std::string text = first ? "" : "\n";
  for (const auto& line : lines) text += line + "\n";
  return text;
}

}  // namespace

void watch(std::chrono::milliseconds interval, const std::function<std::vector<Row>()>& look) {
  using SteadyClock = std::chrono::steady_clock;
  const Signals signals({SIGINT, SIGTERM, SIGHUP});
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  std::vector<Row> before;
  SteadyClock::time_point then;
  for (bool first = true;; first = false) {
    const auto now = SteadyClock::now();
    auto rows = look();
    if (!first) add_rates(rows, before, std::chrono::duration<double>(now - then).count());
    auto lines = table(rows, true);
    lines.insert(lines.begin(), title(rows, interval));
    io::write_all(STDOUT_FILENO, terminal ? over_the_last(std::move(lines), first) : below_the_last(lines, first));
    before = std::move(rows);
    then = now;

    // A closed reader is noticed before the next picture is due.
    await::On signal(signals.fd()), reader(STDOUT_FILENO, 0);
    await::any(Deadline::at(now + interval), signal, reader);
    if (signal) break;
    if (reader) throw tool::Failure(tool::io, "write to standard output: nobody reads it any more");
  }
  if (terminal) io::write_all(STDOUT_FILENO, "\r\n");
}

}  // namespace sessions
