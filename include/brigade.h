/*
 * brigade: asyncio's way of writing concurrent code, in C, on all cores.
 *
 * This header is all of it; each part can be included on its own. TLS (brigade/tls.h) is apart: it
 * belongs to a library of its own, brigade_tls, which needs OpenSSL.
 */
#ifndef BRIGADE_H
#define BRIGADE_H

#include <brigade/blocking.h>
#include <brigade/broadcast.h>
#include <brigade/chan.h>
#include <brigade/error.h>
#include <brigade/explore.h>
#include <brigade/file.h>
#include <brigade/fork.h>
#include <brigade/future.h>
#include <brigade/group.h>
#include <brigade/io.h>
#include <brigade/local.h>
#include <brigade/net.h>
#include <brigade/parallel.h>
#include <brigade/pipeline.h>
#include <brigade/process.h>
#include <brigade/resolve.h>
#include <brigade/runtime.h>
#include <brigade/scope.h>
#include <brigade/select.h>
#include <brigade/signal.h>
#include <brigade/sort.h>
#include <brigade/stream.h>
#include <brigade/sync.h>
#include <brigade/task.h>
#include <brigade/ticker.h>
#include <brigade/time.h>
#include <brigade/timer.h>
#include <brigade/typed.h>
#include <brigade/types.h>

#endif
