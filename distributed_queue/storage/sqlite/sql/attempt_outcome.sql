-- How an attempt ended, by its number in rows.ATTEMPT_OUTCOMES
SELECT outcome FROM attempts WHERE task = ? AND place = ? AND attempt = ?
