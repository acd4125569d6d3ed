#include "balance/blame.h"

#include <string>

#include <doctest/doctest.h>

using namespace balance::blame;
using std::chrono::seconds;

TEST_CASE("blame: each failure of each phase") {
  constexpr char kLetIn[] = "does not let this account in";
  const struct {
    Phase phase;
    tool::Exit code;
    Party party;
    Mark mark;
    bool next;
    const char* told;  // in the sentence; empty: the usual one
  } table[] = {
      {Phase::reach, tool::unavailable, Party::network, Mark::host, true, ""},
      {Phase::handshake, tool::unavailable, Party::server, Mark::host, true, ""},
      {Phase::handshake, tool::untrusted, Party::host_key, Mark::host, true, ""},
      {Phase::login, tool::not_permitted, Party::account, Mark::account, true, kLetIn},
      {Phase::login, tool::unavailable, Party::account, Mark::account, true, "does not answer the log-in"},
      {Phase::login, tool::untrusted, Party::account, Mark::account, true, kLetIn},
      {Phase::run, tool::unavailable, Party::network, Mark::nothing, false, "was lost"},
      {Phase::run, tool::not_permitted, Party::command, Mark::nothing, false, "does not run that command"},
  };
  for (const auto& row : table) {
    CAPTURE(static_cast<int>(row.phase));
    CAPTURE(static_cast<int>(row.code));
    const auto verdict = judge({row.phase, row.code});
    CHECK(std::string(name_of(verdict.party)) == name_of(row.party));
    CHECK(verdict.mark == row.mark);
    CHECK(verdict.next == row.next);
    if (*row.told == '\0') CHECK(verdict.told == "");
    else CHECK(verdict.told.find(row.told) != std::string::npos);
  }
}

TEST_CASE("blame: what is ours, the key's or the client's marks nothing, in any phase") {
  for (const Phase phase : {Phase::reach, Phase::handshake, Phase::login, Phase::run}) {
    for (const tool::Exit code :
         {tool::usage, tool::bad_input, tool::internal, tool::os, tool::io, tool::temporary, tool::config}) {
      CAPTURE(static_cast<int>(code));
      const auto verdict = judge({phase, code});
      CHECK(verdict.mark == Mark::nothing);
      CHECK_FALSE(verdict.next);
      const auto party = code == tool::config                          ? Party::key
                         : code == tool::io || code == tool::temporary ? Party::client
                                                                       : Party::ours;
      CHECK(verdict.party == party);
    }
  }
  const auto family = judge({Phase::reach, tool::unavailable, true});
  CHECK(family.party == Party::client);
  CHECK(family.mark == Mark::nothing);
  CHECK(family.next);
}

TEST_CASE("blame: only a server that is not reached, or turns a connection away, at once is tried again") {
  for (const Phase phase : {Phase::reach, Phase::handshake, Phase::login, Phase::run}) {
    for (int code = 0; code < 256; ++code) {
      const auto exit = static_cast<tool::Exit>(code);
      CHECK(judge({phase, exit}).again == Again::no);
      const auto quick = exit != tool::unavailable   ? Again::no
                         : phase == Phase::reach     ? Again::soon
                         : phase == Phase::handshake ? Again::at_once
                                                     : Again::no;
      CHECK(judge({.phase = phase, .code = exit, .of_client = false, .quick = true}).again == quick);
    }
  }
}

TEST_CASE("blame: once the host key is verified no failure is the server's") {
  for (const Phase phase : {Phase::login, Phase::run})
    for (int code = 0; code < 256; ++code) CHECK(judge({phase, static_cast<tool::Exit>(code)}).mark != Mark::host);
}

TEST_CASE("blame: the pause grows from the second failure on, up to its limit") {
  CHECK(pause_after(0, seconds(120)) == seconds(0));
  CHECK(pause_after(1, seconds(120)) == seconds(0));
  CHECK(pause_after(2, seconds(120)) == seconds(10));
  CHECK(pause_after(3, seconds(120)) == seconds(20));
  CHECK(pause_after(5, seconds(120)) == seconds(80));
  CHECK(pause_after(6, seconds(120)) == seconds(120));
  CHECK(pause_after(1'000'000'000, seconds(120)) == seconds(120));
  CHECK(pause_after(64 + 2, seconds(86400)) == seconds(10240));
  CHECK(pause_after(9, seconds(3)) == seconds(3));
}

// OpenSSH 9.8 and later: each failure adds 5 s, time takes them away, and from 15 s on the address is refused.
TEST_CASE("blame: one account that tries as soon as it may never makes a server refuse the proxy") {
  constexpr long kEach = 5, kRefused = 15;
  long now = 0, penalty_until = 0, most = 0;
  for (unsigned long failures = 1; failures < 50; ++failures) {
    penalty_until = std::max(penalty_until, now) + kEach;
    most = std::max(most, penalty_until - now);
    now += pause_after(failures, seconds(120)).count();
  }
  CHECK(most < kRefused);
}
