/*
 * The messages between the agent and a worker (docs/PROTOCOL.md). On the socket a frame is
 * u32 length, u8 type, u32 operation, body; both ends write and read each body here, field by
 * field, and refuse leftovers. A descriptor travels by SCM_RIGHTS with the first byte
 * of the only frames that may carry one (FRAME_PIN_ANSWER, FRAME_LOGIN, FRAME_ADD,
 * FRAME_ADMINISTER, FRAME_MEMORY, FRAME_CONFINED).
 */
#ifndef KEYSTILE_FRAME_H
#define KEYSTILE_FRAME_H

#include <keystile/backend.h>

#define FRAME_VERSION 1
#define FRAME_MAX ((size_t)512 * 1024) /* length field's limit */
#define FRAME_HEADER 4		       /* bytes of the length field */
#define FRAME_KEYS_MAX 4096	       /* keys of one token */
#define FRAME_TEXT_MAX 4096	       /* every text in a frame */

enum frame_type {
	/* agent to worker; operation 0 in hello and quit */
	FRAME_HELLO = 1,  /* both ways, first: version; from the worker also name and parallel */
	FRAME_LOCATE = 2, /* provider as written */
	FRAME_OPEN = 3,	  /* the located provider may be loaded; what is granted to it */
	FRAME_LIST = 4,
	FRAME_LOGIN = 5, /* with a descriptor to read the PIN from */
	FRAME_SIGN = 6,
	FRAME_RELEASE = 7,    /* token */
	FRAME_ADMINISTER = 8, /* JSON; perhaps with a descriptor to read secrets from */
	FRAME_CANCEL = 9,
	FRAME_PIN_ANSWER = 10, /* verdict; KS_OK comes with a descriptor */
	FRAME_TOUCH_ANSWER = 11,
	FRAME_QUIT = 12,
	FRAME_ADD = 13, /* with a descriptor to read the private key from; the result is its blob */
	FRAME_REMOVE = 14, /* a key that was added: blob */
	/* worker to agent */
	FRAME_DONE = 32, /* ends every operation but cancel and answers: error, words, result */
	FRAME_TOKEN = 33,
	FRAME_TOKEN_GONE = 34,
	FRAME_ASK_PIN = 35,
	FRAME_TOUCH_AWAITED = 36,
	FRAME_TOUCH_OVER = 37,
	FRAME_PRESENCE = 38,
	FRAME_PROGRESS = 39,
	FRAME_LOG = 40,
	FRAME_CONFINED = 41, /* between locate and open: what holds from now on */
	FRAME_MEMORY = 42,   /* before that: with a descriptor to read the worker's memory from */
	FRAME_DENIED = 43,   /* a file stayed closed by it: path */
	FRAME_WAITS = 44,    /* for others that use a token: token, 0: no longer */
	FRAME_CARD = 45,     /* what the card in a token says of itself and of its keys */
};

/* Kinds of grants in FRAME_OPEN: a row of u8 kind, string path or address. */
enum frame_grant {
	FRAME_GRANT_READ,
	FRAME_GRANT_WRITE,
	FRAME_GRANT_CONNECT,  /* as in keystile.conf(5) */
	FRAME_GRANT_BROKERED, /* nothing: the agent connects for the worker, and only as granted */
	FRAME_GRANT_SHARED_MEMORY, /* nothing: System V's, that somebody else has made */
};

/* Decoded: bytes borrow from the frame's bytes, arrays are owned (frame_deinit). */
struct frame {
	enum frame_type type;
	uint32_t operation;
	union {
		struct {
			uint32_t version;
			struct bytes name;  /* worker only; "" from the agent */
			uint32_t parallel;  /* worker only; 0 from the agent */
			uint32_t log_level; /* agent only; 0 from the worker */
		} hello;
		struct {
			uint32_t timeout_ms; /* for the whole operation */
			struct bytes provider;
		} locate;
		struct {
			uint32_t timeout_ms;
		} plain; /* list, login, add */
		struct {
			uint32_t timeout_ms;
			struct bytes grants; /* of the configuration; not looked into here */
		} open;
		struct {
			uint32_t timeout_ms;
			uint32_t token;
			uint32_t algorithm;
			uint32_t demand;
			bool remote;
			struct bytes blob;
			struct bytes data;
		} sign;
		struct {
			uint32_t timeout_ms;
			uint32_t token;
		} release;
		struct {
			uint32_t timeout_ms;
			struct bytes blob;
		} remove;
		struct {
			uint32_t timeout_ms;
			struct bytes request;
			bool with_secret; /* a descriptor comes along */
		} administer;
		struct {
			uint32_t verdict; /* enum ks_error */
		} answer;		  /* pin, touch */
		struct {
			uint32_t error; /* enum ks_error */
			struct bytes words;
			struct bytes result; /* canonical name, signature or JSON */
		} done;
		struct {
			struct ks_token token; /* texts owned, as is all of the keys but blobs */
			struct ks_key *keys;
			size_t count;
		} token;
		struct frame_card {
			uint32_t token;
			struct bytes firmware;
			struct bytes serial;
			struct bytes intermediate;
			struct ks_key_facts *keys; /* owned, what they hold is not */
			size_t count;
		} card;
		struct {
			uint32_t token;
		} gone; /* token gone, touch awaited, waits */
		struct {
			uint32_t token;
			int32_t tries_left;
			uint32_t flags; /* enum ks_token_flags as they are now */
			bool retry;
		} ask_pin;
		struct {
			uint32_t presence;
		} presence;
		struct frame_confined {
			uint32_t
				landlock; /* version of its interface; 0: no file is kept from it */
			bool filtered;	  /* system calls are */
			bool brokered; /* with a descriptor: the agent is asked for what is refused
					*/
			struct bytes lacking; /* words for what could not be done; "": nothing */
		} confined;
		struct {
			bool writes;
			struct bytes path;
		} denied;
		struct {
			uint32_t level; /* log only, 0 in progress */
			struct bytes text;
		} text; /* log, progress */
	};
};

/*
 * Appends the whole frame, length first. Failure shows in buf_status(). Texts that are only shown
 * (labels, words, log, progress) are cut at FRAME_TEXT_MAX and at a NUL; a name or provider like
 * that fails.
 */
void frame_encode(const struct frame *frame, struct buf *out);
/*
 * An id and a certificate that may be in a frame: texts of their lengths, ids and usages of their
 * characters, no control characters, times in range. Others fail to be encoded and decoded.
 */
bool frame_id_fits(const char *id);
bool frame_certificate_fits(const struct ks_certificate *certificate);
/*
 * Decodes what follows the length field. Unknown types, leftovers, values out of range (an error
 * code, an algorithm, a bool above 1), texts with a NUL inside, an operation other than 0 in hello
 * and quit or 0 elsewhere (token, token gone and log may have either): KS_BAD_INPUT. Of a hello in
 * another version only the version is read.
 * frame_deinit() is due after KS_OK only.
 */
KS_MUST_CHECK enum ks_error frame_decode(struct bytes body, struct frame *frame);
void frame_deinit(struct frame *frame);
/* True for the frames that carry a descriptor: login, add, an administer that says so, and a PIN
 * answer that says KS_OK. */
bool frame_has_fd(const struct frame *frame);
const char *frame_type_name(enum frame_type type); /* static, "sign"; "unknown" for others */
/* Which end may send it. */
bool frame_from_worker(enum frame_type type);
bool frame_from_agent(enum frame_type type);

#endif
