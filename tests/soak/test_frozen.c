/*
 * A worker that stands still in the middle of an operation, nearly everywhere.
 *
 * Labels: soak
 */
#define FROZEN_SAMPLES 1500
#include "../runtime/frozen.h"
