#include "report.h"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>

#include "base/logging.h"

namespace {

volatile sig_atomic_t rang = 0;
void on_alarm(int) { rang = 1; }

// The alarm repeats, since the first may come just before the system call.
void set_alarm(long after_seconds, long then_microseconds) {
  const itimerval timer{{0, then_microseconds}, {after_seconds, 0}};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace

Patience::Patience() {
  struct sigaction alarm {};
  alarm.sa_handler = on_alarm;  // without SA_RESTART
  ::sigaction(SIGALRM, &alarm, nullptr);
  sigset_t alarm_only;
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  ::sigprocmask(SIG_UNBLOCK, &alarm_only, nullptr);
  rang = 0;
  set_alarm(1, 100000);
}
Patience::~Patience() { set_alarm(0, 0); }
bool Patience::over() const { return rang != 0; }

namespace report {

void line(const status::Line& line) {
  const std::string text = line.text();
  logging::debug2("Says: {}", text.substr(0, text.size() - 1));
  const Patience patience;
  std::size_t said = 0;
  while (said < text.size() && !patience.over()) {
    const ssize_t put = ::write(STDOUT_FILENO, text.data() + said, text.size() - said);
    if (put > 0) said += static_cast<std::size_t>(put);
    else if (put < 0 && errno != EINTR) break;
  }
  if (said < text.size()) logging::debug1("Nobody took: {}", logging::escape(text));
}

}  // namespace report
