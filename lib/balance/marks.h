// balance/marks: the marks of this node as files, only for balance and balance/shared.
// balance/balance.h tells what they mean and where they are.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "balance/types.h"
#include "base/fd.h"
#include "base/logging.h"
#include "base/record.h"

namespace balance {

constexpr char kMarks[] = "balance/marks";
constexpr char kHealed[] = "balance/healed";

// Makes the directories.
void prepare_marks();

// Held between reading a mark and writing what follows from it; no longer, and together with no other lock. Waits at
// most 10 s (Failure{75}). What is logged meanwhile is written once it is free.
class MarksLock {
 public:
  MarksLock();

 private:
  logging::Later later_;
  Fd lock_;
};

// FNV-1a, 16 hex digits.
std::string digest(const std::string& text);
// `text`, or its digest if it is not valid as a file name, or too long.
std::string file_name(const std::string& text);

// USER@HOST-KEY.
std::string account_name(const HostPort& host, const std::string& user, const std::string& keyfile);
std::string mark_name(State state, const HostPort& host, const std::string& user = "", const std::string& keyfile = "");
std::string mark_name(const Mark& mark);

Record to_record(const Mark& mark);
// Failure{65}.
Mark from_record(const Record& record);

// Absent: there is none, or it is not readable; then it is removed, so that it is reported once.
std::optional<Mark> read_mark(const std::string& name);
void write_mark(const Mark& mark);
// False when there was none.
bool remove_mark(const std::string& name);

// The id (as in balance/shared) of the mark of that name that was removed here without the other nodes
// having heard of it; empty: none.
std::string read_healed(const std::string& name);
void write_healed(const std::string& name, const std::string& id);
void remove_healed(const std::string& name);

// All marks, whether they count or not.
std::vector<Mark> all_marks();

}  // namespace balance
