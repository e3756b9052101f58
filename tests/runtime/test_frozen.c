/*
 * A worker that stands still in the middle of an operation (frozen.h), a few times in each.
 *
 * Labels: long
 */
#define FROZEN_SAMPLES 16
#include "frozen.h"
