#include "base/alarm.h"

#include <signal.h>
#include <sys/time.h>

namespace {

volatile sig_atomic_t rang_ = 0;
void on_alarm(int) { rang_ = 1; }

timeval timeval_of(std::chrono::milliseconds time) {
  return {time.count() / 1000, static_cast<suseconds_t>(time.count() % 1000) * 1000};
}

}  // namespace

Alarm::Alarm(std::chrono::milliseconds first, std::chrono::milliseconds then) {
  struct sigaction alarm {};
  alarm.sa_handler = on_alarm;  // without SA_RESTART
  ::sigaction(SIGALRM, &alarm, nullptr);
  sigset_t alarm_only;
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  ::pthread_sigmask(SIG_UNBLOCK, &alarm_only, nullptr);
  rang_ = 0;
  const itimerval timer{timeval_of(then), timeval_of(first)};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

Alarm::~Alarm() {
  const itimerval none{};
  ::setitimer(ITIMER_REAL, &none, nullptr);
}

bool Alarm::rang() const { return rang_ != 0; }
