// lease_link: the socket to asp-lease, the only program that may touch the kernel;
// asp-lease(8). One connection at a time, for which systemd or asp-lease itself starts a
// process. Requests are sent without waiting for the answers to earlier ones.
//
//   request=open  tag=17  user=alice  destination=server.example.com …   + the client's connection
//   answer=lease  lease=3a9fd819-…  …  tag=17
//
// An answer has the tag of its request. Answers come in any order: one that waits
// for a name server delays no other.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/record.h"

namespace asperanoded {

class LeaseLink {
 public:
  // Gets the packets of one answer, including the last; none when asp-lease was lost or could not be started:
  // then it is unknown whether the request took effect.
  using Done = std::function<void(std::vector<Record>)>;

  static constexpr std::size_t kMaxWaiting = 2000;      // requests without an answer yet
  static constexpr std::chrono::seconds kPatience{15};  // for one answer; the request fails then

  // `path` is the socket of asp-lease.
  explicit LeaseLink(std::string path);
  LeaseLink(const LeaseLink&) = delete;
  LeaseLink& operator=(const LeaseLink&) = delete;
  ~LeaseLink() { stop(); }

  // Leases stay. Requests without an answer are told that there will be none.
  void stop();

  // Thread-safe. `connection` is passed along if it is one. False: too many requests wait already. `done` is
  // called in the link's thread: it must be short and must not throw.
  bool ask(const Record& request, Fd connection, Done done);

  // How many times the connection was made again.
  unsigned restarts() const;

 private:
  struct Question {
    Record request;
    Fd connection;
    Done done;
    Deadline deadline = Deadline::now();
    std::vector<Record> answer{};
  };

  void run();
  void start();
  void lose(const std::string& why);
  void send_queued();
  void receive();
  void take(Record answer);
  void check_deadlines();
  Deadline next_turn() const;

  const std::string path_;
  Fd wake_;
  mutable std::mutex mutex_;
  std::deque<Question> queued_;
  std::size_t waiting_ = 0;
  unsigned starts_ = 0;
  bool over_ = false;
  // Used only by the thread:
  Fd socket_;
  std::map<std::uint64_t, Question> sent_;  // by tag, so the oldest comes first
  std::uint64_t last_tag_ = 0;
  Deadline next_start_ = Deadline::now();
  std::chrono::milliseconds back_off_{0};
  bool complained_ = false;
  std::thread thread_;
};

}  // namespace asperanoded
