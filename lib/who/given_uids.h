// who/given_uids: the highest number that an account of a proxy user ever had. No later account is given that or a
// lower one, so that nobody gets the files, and whatever else may be left, of somebody who was removed.
//
//   /var/lib/sallyport/highest_uid   1042
#pragma once

#include <sys/types.h>

#include <optional>

namespace given_uids {

// Absent: none is on record. Failure{71}; Failure{65} when the file is not of that form.
std::optional<uid_t> highest();

// Puts it on record, unless a higher one is. The same failures.
void note(uid_t uid);

}  // namespace given_uids
