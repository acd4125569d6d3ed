// protocol: the messages of the two ends over SSH, one record(5) a message, told apart
// by the field `say`. File data goes over UDP; names, sizes, digests and errors go
// only over SSH.
//
//   client                                  server (asp-cp -S)
//   say=open asp_cp=1 direction passphrase rate recursive target into_directory
//                                           say=answer asp_cp=1 session udp_port
//   (UDP hellos, see hello.h)               say=reached candidate
//   (the SRT connection stands; then, for an upload)
//   say=file path size mode mtime           say=have size [sha256]    | refused
//   say=data offset  + bytes over UDP
//   say=digest sha256 | stopped             say=stored                | refused
//   say=bye
//
// With direction=check no file is moved: after `reached` the client sends probes (probe.h), which the server
// returns; then the SRT connection stands, and each end has a burst (burst.h).
//
//   say=probed                              say=heard largest mtu
//   say=sent bytes   + bytes over UDP       say=got bytes us
//   (and in the other direction)            say=sent bytes
//   say=bye
//
// For a download the client sends `want path` for each source, the server takes
// the role of the left column and sends `end` after each; then the client sends `bye`.
// Either end sends `busy` while it computes, so that silence means a fault.
// `failed` is the server's last message; `refused`, `stopped` and `trouble`
// concern one file, and the rest goes on.
//
// Every parse() is strict: a field that is missing, unknown, repeated or out of range
// is Failure{65}, another protocol version Failure{76}.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/failure.h"
#include "base/record.h"

namespace asp_cp {

constexpr int kVersion = 1;
constexpr std::size_t kMaxPath = 2048;      // bytes of a path, so that it fits a record when encoded
constexpr std::size_t kMaxName = 255;       // bytes of one component
constexpr std::size_t kMaxDepth = 64;       // components of a path
constexpr std::size_t kMaxReason = 512;     // bytes of an error message; longer ones are cut
constexpr std::size_t kChunk = 256 * 1024;  // bytes of a file that are moved at once
constexpr std::uint64_t kMaxSize = std::uint64_t{1} << 62;

// Any bytes but NUL as a record's value: control characters and % become %XX.
std::string encode(std::string_view bytes);
// Failure{65} when `text` is not what encode() writes, or has a %00 in it.
std::string decode(std::string_view text);

// The components of a path from the other end: relative, none of them empty, "." or "..". Failure{65}:
// such a path could lead out of the target.
std::vector<std::string> split_path(std::string_view path);

// The field `say`; Failure{65} without one.
std::string word_of(const Record& record);

struct Open {
  bool check = false;  // neither upload nor download: no file is moved
  bool upload = true;
  std::string passphrase;  // 64 hex digits: 256 random bits
  std::uint64_t rate = 0;  // bits a second, 0: no limit; for the end that sends
  bool recursive = false;
  std::string target;           // upload: where to
  bool into_directory = false;  // upload: the target must be a directory

  Record record() const;
  static Open parse(const Record& record);
};

struct Answer {
  std::string session;  // 32 hex digits
  Port udp_port = 0;    // where the server listens, for the log

  Record record() const;
  static Answer parse(const Record& record);
};

// Tells which of the addresses that the client tried has reached the server.
struct Reached {
  std::uint64_t candidate = 0;

  Record record() const;
  static Reached parse(const Record& record);
};

// The largest probe that reached the server, and what its kernel knows of the way back (0: nothing), which is the
// size of a whole packet.
struct Heard {
  std::uint64_t largest = 0;
  std::uint64_t mtu = 0;

  Record record() const;
  static Heard parse(const Record& record);
};

// How many bytes a burst had.
struct Sent {
  std::uint64_t bytes = 0;

  Record record() const;
  static Sent parse(const Record& record);
};

// How much arrived, and within how many microseconds.
struct Got {
  std::uint64_t bytes = 0;
  std::uint64_t us = 0;

  Record record() const;
  static Got parse(const Record& record);
};

struct Want {
  std::string path;

  Record record() const;
  static Want parse(const Record& record);
};

struct FileHead {
  std::string path;  // relative to the target; see split_path
  std::uint64_t size = 0;
  unsigned mode = 0;  // permission bits, 0 to 0777
  std::timespec mtime{};

  Record record() const;
  static FileHead parse(const Record& record);
};

struct DirectoryHead {
  std::string path;
  unsigned mode = 0;

  Record record() const;
  static DirectoryHead parse(const Record& record);
};

// How much of a file the receiver holds from an earlier run.
struct Have {
  std::uint64_t size = 0;
  std::string sha256;  // of these bytes; empty when size is 0

  Record record() const;
  static Have parse(const Record& record);
};

// The offset from which the sender sends: everything that the receiver has, or 0.
struct Data {
  std::uint64_t offset = 0;

  Record record() const;
  static Data parse(const Record& record);
};

struct Digest {
  std::string sha256;

  Record record() const;
  static Digest parse(const Record& record);
};

// The sender's data ends early, at `offset` in the file.
struct Stopped {
  std::uint64_t offset = 0;
  tool::Exit code = tool::io;
  std::string reason;

  Record record() const;
  static Stopped parse(const Record& record);
};

// `failed`, `refused` and `trouble`.
struct Complaint {
  tool::Exit code = tool::internal;
  std::string reason;

  Record record(std::string_view word) const;
  static Complaint parse(const Record& record);
};

// A message of one word: busy, stored, end, bye.
Record plain(std::string_view word);
// Failure{65} when `record` has another field.
void check_plain(const Record& record);

}  // namespace asp_cp
